"""Secrets are taken out before the disk, and nothing else is."""

import random
import sys
import time

import pytest

from cronverifyd import wrap
from cronverifyd.tell.redact import cleaned
from tests.redaction import BODY, CASES, KEY, R, innocent_lines, payloads, secrets_of
from tests.tell.builders import failed

from .conftest import ENVIRONMENT, bare

TOKEN = "ghp_" + "aB3" * 12
DOUBLY = """'"'"'"""
RUNS = 100
TAIL = wrap.TAIL_BYTES


def printed(wrapper, text, *, env=ENVIRONMENT, pieces=wrap.BLOCK_BYTES):
    """Have a job print a text in pieces of so many bytes; return its finish line."""
    file = wrapper.outcomes.with_name("text")
    file.write_text(text)
    wrapper.outcomes.write_bytes(b"")
    done = wrapper.run("dd", f"if={file}", f"bs={pieces}", "status=none", env=env)
    assert done.stdout == text.encode()  # what the job prints is passed on as it is
    return wrapper.finish()


@pytest.mark.parametrize(("text", "left"), CASES)
def test_what_looks_like_a_secret_is_taken_out(monkeypatch, text, left):
    monkeypatch.setattr(wrap.posix, "environ", {})
    assert wrap.without_secrets(text) == (text if left is None else left)


def test_300_secrets_in_10_000_lines(wrapper):
    secrets = secrets_of("in a log")
    innocent = innocent_lines("around them", 10_000 - len(secrets))
    log = [*secrets, *innocent]
    random.Random("shuffle").shuffle(log)
    env = ENVIRONMENT | {k: v for secret in secrets for k, v in secret.env.items()}
    left, hit, told = [], [], ""
    for run in range(RUNS):
        part = log[run::RUNS]
        texts = [unit if isinstance(unit, str) else unit.text for unit in part]
        finish = printed(wrapper, "\n".join(texts), env=env, pieces=61)
        assert finish["output_cut"] is False
        tail, disk = finish["output_tail"], wrapper.outcomes.read_text()
        message = cleaned(failed(output_tail=tail, error=tail, reason=tail))
        told = payloads(message)
        here = [unit for unit in part if not isinstance(unit, str)]
        left += [s for s in here if any(n in tail or n in disk or n in told for n in s.needles)]
        hit += [unit for unit in part if isinstance(unit, str) and unit not in tail]
    assert len(secrets) == 300
    assert left == []
    assert hit == []


def test_300_secrets_in_one_text_of_10_000_lines(monkeypatch):
    secrets = secrets_of("in one text")
    innocent = innocent_lines("around all of them", 10_000 - len(secrets))
    log = [*secrets, *innocent]
    random.Random("shuffle all").shuffle(log)
    monkeypatch.setattr(wrap.posix, "environ", environment_of(secrets))
    text = wrap.without_secrets(
        "\n".join(unit if isinstance(unit, str) else unit.text for unit in log)
    )
    assert [s for s in secrets if any(needle in text for needle in s.needles)] == []
    assert [line for line in innocent if line not in text] == []


def environment_of(secrets):
    """Return the variables that hold the secrets, as posix.environ has them."""
    return {k.encode(): v.encode() for secret in secrets for k, v in secret.env.items()}


CUT = secrets_of("where a text is cut")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.98])
def test_300_secrets_at_which_a_tail_begins(monkeypatch, share):
    """Each stands where the tail begins, which then goes on behind so much of it."""
    monkeypatch.setattr(wrap.posix, "environ", environment_of(CUT))
    around = "\n".join(innocent_lines("around a cut", 600)).encode()
    left = []
    for secret in CUT:
        text = secret.text.encode()
        behind = TAIL - len(text) + int(len(text) * share)
        data = around[:9000] + b"\n" + text + b"\n" + around[: behind - 1]
        tail = wrap.printed(data[-wrap.SEARCHED_BYTES :], len(data), 0)["output_tail"]
        left += [(secret, tail[:200]) for needle in secret.needles if needle[-8:] in tail]
    assert left == []


@pytest.mark.parametrize("where", ["block", "tail"])
@pytest.mark.parametrize("number", range(0, 300, 10))
def test_a_job_prints_a_secret_at_a_border(wrapper, where, number):
    """A border of two blocks, in which the wrapper reads, or the begin of the tail."""
    secret = CUT[number]
    around = "\n".join(innocent_lines("around a border", 4000))
    before, behind = {"block": (wrap.BLOCK_BYTES, 2000), "tail": (wrap.BLOCK_BYTES + 5000, TAIL)}[
        where
    ]
    half = len(secret.text) // 2
    text = around[: before - half - 1] + "\n" + secret.text + "\n" + around[: behind - half]
    tail = printed(wrapper, text, env=ENVIRONMENT | secret.env)["output_tail"]
    assert [needle for needle in secret.needles if needle[-8:] in tail] == []
    assert tail.endswith(around[: behind - half][-1000:])


# ---- the environment


@pytest.mark.parametrize(
    ("name", "value", "text", "left"),
    [
        pytest.param("DB_PASS", "hunter", "as hunter.", f"as {R}.", id="six characters"),
        pytest.param("DB_PASS", "hunte", "as hunte.", None, id="five are no secret"),
        pytest.param("my_token", "s3cr3t", "s3cr3ts3cr3t", R + R, id="a name in small letters"),
        pytest.param("MONKEY", "banana split", "'banana split'", f"'{R}'", id="KEY anywhere"),
        pytest.param("USER_NAME", "hunter2", "hunter2", None, id="another variable"),
        pytest.param("CRED", "it's 5", r"+ x 'it'\''s 5'", f"+ x '{R}'", id="in a shell's quotes"),
        pytest.param("CRED", 'a"b\\cd', r'{"x": "a\"b\\cd"}', f'{{"x": "{R}"}}', id="in JSON"),
        pytest.param("CRED", "it's 5", f"'it{DOUBLY}s 5'", f"'{R}'", id="in Python's quotes"),
        pytest.param("CRED", "it's $5", r"x it\'s\ \$5 y", f"x {R} y", id="in bash's quotes"),
        pytest.param("CRED", "a/b+c=", r'{"x": "a\/b+c="}', f'{{"x": "{R}"}}', id="in PHP's JSON"),
        pytest.param("CRED", "m\u00fcller", r'"m\u00fcller"', f'"{R}"', id="in ASCII JSON"),
        pytest.param(
            "CRED", "k\U0001f511keys", r'"k\ud83d\udd11keys"', f'"{R}"', id="beyond 16 bits"
        ),
        pytest.param(
            "CRED", 'a"b\\cd', r'"{\"x\":\"a\\\"b\\\\cd\"}"', rf'"{{\"x\":\"{R}\"}}"', id="twice"
        ),
        pytest.param("CRED", "a<b>'c", "a&lt;b&gt;&#x27;c &#39;", f"{R} &#39;", id="in HTML"),
        pytest.param("CRED", "50%25&amp;", "x50%25&amp;x", f"x{R}x", id="looks quoted itself"),
        pytest.param("CRED", "50%25&amp;", "x50%2525%26amp%3Bx", f"x{R}x", id="and then is quoted"),
        pytest.param("CRED", "a b/c&d", "?x=a%20b%2fc%26d&y", f"?x={R}&y", id="in small hex"),
        pytest.param("CRED", "!?*+#;", "x !?*+#; y", f"x {R} y", id="no letter"),
        pytest.param("CRED", "a-b" * 2000, f"x {'a-b' * 2000} y", f"x {R} y", id="long"),
        pytest.param("CRED", "a b/c&d", "?x=a%20b%2Fc%26d&y", f"?x={R}&y", id="in a URL"),
        pytest.param("CRED", "a b/c&d", "?x=a+b%2Fc%26d&y", f"?x={R}&y", id="in a form"),
        pytest.param("CRED", "g\u00fcnther", "g\u00fcnther", R, id="an umlaut"),
        pytest.param("CRED", "line 1\nline 2\n", "line 1\nline 2", R, id="two lines"),
    ],
)
def test_values_of_secret_variables_are_taken_out(wrapper, name, value, text, left):
    finish = printed(wrapper, text, env=ENVIRONMENT | {name: value})
    assert finish["output_tail"] == (text if left is None else left)


def test_of_two_values_the_longer_is_taken_out_first(wrapper):
    env = ENVIRONMENT | {"A_PASS": "hunter", "B_PASS": "hunter2000", "C_PASS": "2000xx"}
    assert printed(wrapper, "hunter2000xx", env=env)["output_tail"] == f"{R}xx"


# ---- where a text is cut


@pytest.mark.parametrize("cut", [0, 3, 20, 40, 60, 97, 110, 150, 165, 190])
def test_a_key_at_which_the_tail_begins_is_taken_out(wrapper, cut):
    after = "after\n" * 2000
    room = TAIL - len(KEY) - 1 + cut
    text = "before\n" * 5000 + KEY + "\n" + after[:room].rjust(room, "-")
    tail = printed(wrapper, text)["output_tail"]
    assert BODY[-20:] not in tail
    assert "q9Zk=" not in tail
    assert tail.endswith("after\n" * 1000)


@pytest.mark.parametrize("cut", range(0, 45, 4))
def test_a_token_at_which_the_tail_begins_is_taken_out(wrapper, cut):
    room = TAIL - len(TOKEN) + cut
    for before in ("before\n" * 5000, "before " * 5000):
        tail = printed(wrapper, before + TOKEN + "\n" * room)["output_tail"]
        assert "aB3" not in tail


@pytest.mark.parametrize("offset", range(-6400, 1600, 400))
def test_what_is_searched_may_begin_within_a_secret(wrapper, offset):
    env = ENVIRONMENT | {"A_SECRET": "abcdefghij" * 400}  # 4,000 characters
    text = "x\n" * 20_000 + env["A_SECRET"] + "\n" + "y" * (TAIL + offset) + "\n" + TOKEN + "\n"
    tail = printed(wrapper, text, env=env)["output_tail"]
    assert "abcdefghij" not in tail
    assert tail.endswith(f"y\n{R}\n")


@pytest.mark.parametrize("before", range(wrap.BLOCK_BYTES - 200, wrap.BLOCK_BYTES + 1, 25))
def test_a_secret_across_the_border_of_two_blocks_is_taken_out(wrapper, before):
    finish = printed(wrapper, "-" * before + f"\n{KEY}\n{TOKEN}\nend\n")
    assert finish["output_tail"].endswith(f"-\n{R}\n{R}\nend\n")


def test_without_a_secret_the_tail_is_as_long_as_ever(wrapper):
    text = "".join(f"https://h/{n} a@b.c KEY=1 secret\n" for n in range(2000))
    assert printed(wrapper, text)["output_tail"] == text[-TAIL:]


def test_a_cut_is_told_and_taking_out_is_no_cut(wrapper):
    assert printed(wrapper, f"{TOKEN}\n" * 10)["output_cut"] is False
    assert printed(wrapper, f"{TOKEN}\n" * 1000)["output_cut"] is True


# ---- the other texts of a record


def test_the_command_is_recorded_without_its_secrets(wrapper):
    line = "true -H 'Authorization: Bearer abc' https://u:pw1@h hunter22"
    env = ENVIRONMENT | {"PGPASSWORD": "hunter22"}
    done = wrapper.run("sh", "-c", line, "x", "https://u:pw2@h/", "a b", "hunter22", env=env)
    assert done.returncode == 0
    start, finish = wrapper.pair()
    quoted = r"'\''"
    inner = f"true -H {quoted}Authorization: {R}{quoted} https://{R}@h {R}"
    assert start["command"] == f"sh -c '{inner}' x 'https://{R}@h/' 'a b' '{R}'"
    assert finish["command"] == start["command"]


def test_a_header_that_is_three_words_is_recorded_without_its_secret(wrapper):
    wrapper.run("true", "Authorization:", "Bearer", "abc", "end")
    assert wrapper.finish()["command"] == f"true Authorization: {R} end"


def test_a_secret_that_the_limit_of_a_command_cuts_is_not_recorded_in_part(wrapper):
    wrapper.run("true", "x" * (wrap.COMMAND_CHARS - 30), TOKEN)
    assert "aB3" not in wrapper.finish()["command"]


def test_what_the_job_reports_is_recorded_without_its_secrets(wrapper):
    script = f"""
        echo "status=x-$MY_PASS" >> "$CRONVERIFY_RESULT"
        echo "message={"m" * 2030} {TOKEN}" >> "$CRONVERIFY_RESULT"
        echo "{TOKEN}=7" >> "$CRONVERIFY_RESULT"
        echo "rows=100000" >> "$CRONVERIFY_RESULT"
    """
    env = ENVIRONMENT | {"MY_PASS": "hunter2", "MAX_TOKENS": "100000"}
    wrapper.run("sh", "-c", script, env=env)
    finish = wrapper.finish()
    assert finish["status"] == f"x-{R}"
    assert finish["error"] == "m" * 2030 + " " + R
    assert finish["metrics"] == {R: 7, "rows": 100000}


def test_a_command_that_is_not_found_is_told_without_its_secret(wrapper):
    assert wrapper.run("https://u:pw12@h/x").returncode == 127
    assert "pw12" not in wrapper.outcomes.read_text()
    assert wrapper.finish()["error"].startswith(f"https://{R}@h/x: ")


# ---- what it costs

ODD = [
    "'%&\\" * 10,
    "'" * 20,
    "%25" * 12,
    "\\'" * 10,
    "&amp;" * 8,
    " " * 20,
    "\r\n" * 12,
    "!" * 4096,
]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("piece", ["'", "'\\''", DOUBLY, "%25", "&amp;", "\\\\'", " +", "\n", "!!"])
def test_a_value_that_is_hard_to_find_costs_no_more_than_a_moment(monkeypatch, value, piece):
    monkeypatch.setattr(wrap.posix, "environ", {b"A_KEY": f"a{value}b".encode()})
    text = f"ab{value}" + piece * (wrap.SEARCHED_BYTES // len(piece))
    began = time.process_time()
    wrap.without_secrets(text)
    assert time.process_time() - began < 2


def test_a_text_that_only_resembles_costs_no_import(program, tmp_path):
    text = "https://h/x\nthe key, a token, PASS 2 of 3\nasian eyes, a fox\n" * 200
    code = f"""if True:
        import posix, sys
        posix.environ.clear()
        wrapper = {{"__name__": "wrap"}}
        exec(compile(open({wrap.__file__!r}).read(), "wrap", "exec"), wrapper)
        assert wrapper["without_secrets"]({text!r}) == {text!r}
        assert "re" not in sys.modules
        assert wrapper["without_secrets"]({TOKEN!r}) == {R!r}
        assert "re" in sys.modules
    """
    done = bare(program[0], "-I", "-S", "-c", code)
    assert (done.returncode, done.stderr) == (0, b"")


def test_where_re_cannot_be_had_a_suspicious_text_is_not_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "re", None)
    assert wrap.without_secrets(f"x {TOKEN}") == wrap.UNSEARCHED
    assert wrap.without_secrets("nothing here") == "nothing here"
