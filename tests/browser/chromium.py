"""What the tests ask of the browser."""

import base64
import json
from pathlib import Path

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

PHONE, DESK = (390, 844), (1280, 900)


class Chromium:
    """One browser window; what it complained of is kept until it is asked for."""

    def __init__(self, driver) -> None:
        self.driver = driver
        self.look_like()

    def look_like(self, size=DESK, scheme="light", *, scripts=True):
        """Take a screen's size and the user's choice of colours."""
        width, height = size
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.cdp("Emulation.setEmulatedMedia", features=features)
        self.cdp("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, url):
        self.driver.get(url)

    def forget(self):
        """Leave the page, and drop what it complained of."""
        self.look_like()
        self.driver.get("about:blank")
        """Give what the console has said since this was asked last, breaches of policy too."""

    def complaints(self):
        """Give what the console has said since this was asked last, breaches of policy too."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self):
        """Name the addresses that were asked for since this was last asked."""
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def run(self, script, *arguments: object):
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str):
        """Press keys, one after the other, where the focus is: a character, `Tab` or `Enter`."""
        special = {"Tab": Keys.TAB, "Enter": Keys.ENTER}
        actions = ActionChains(self.driver)
        for key in keys:
            actions.send_keys(special.get(key, key))
        actions.perform()

    def html(self):
        """Give the page's markup as it stands, with no script of ours."""
        root = self.cdp("DOM.getDocument")["root"]
        return self.cdp("DOM.getOuterHTML", nodeId=root["nodeId"])["outerHTML"]

    def cdp(self, command, **given):
        return self.driver.execute_cdp_cmd(command, given)

    def wait(self, condition, what, within_s=20):
        return WebDriverWait(self.driver, within_s).until(lambda _: condition(), what)

    def picture(self, path):
        """Keep the whole page as a picture."""
        shot = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(shot["data"]))
