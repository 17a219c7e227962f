"""A real headless Chromium, and pages served by the real server."""

import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from cronverifyd.web.sockets import bind_tcp
from tests.browser.chromium import Chromium
from tests.browser.scene import scene
from tests.web.loop import serving

PROGRAMS = ("chromium", "chromedriver")


@pytest.fixture(scope="session", autouse=True)
def no_proxy_of_this_machine():
    """Let nothing stand between the tests, the driver and the pages on the loopback."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        yield


@pytest.fixture(scope="session")
def driver():
    """Start the browser, once. It may talk to nobody but the loopback."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        sentence = f"not installed: {', '.join(missing)} (packages chromium, chromium-driver)"
        (pytest.fail if "CRONVERIFYD_REQUIRE_BROWSER" in os.environ else pytest.skip)(sentence)
    options = Options()
    options.binary_location = shutil.which("chromium")
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--proxy-server=direct://", "--force-device-scale-factor=1", "--lang=en"),
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def chromium(driver):
    browser = Chromium(driver)
    yield browser
    browser.forget()


@pytest.fixture(scope="session")
def watched(tmp_path_factory):
    """Give the varied installation; tests that change it make one of their own."""
    return scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def address(watched):
    with serving(watched.app, bind_tcp("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.port}"
