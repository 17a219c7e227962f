"""What redaction has to take out, and what it has to leave: a table, and a log with seeded secrets.

Both the wrapper and the channels are held to it.
"""

import base64
import html
import json
import random
import shlex
import string
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from cronverifyd.model import Mail
from cronverifyd.tell import console, document, mail, slack

R = "[redacted]"
AWS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
BODY = "MIIEpAIBAAKCAQEA7bq4Hk0yJr3Zp5mXc0Wv9uQ2sT8fLdGx1oYiNaEeRtUwPlKj"
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n{BODY}\nq9Zk=\n-----END RSA PRIVATE KEY-----"

# text → what is left of it
CASES = [
    # ---- URLs
    pytest.param("https://bob:hunter2@h/x", f"https://{R}@h/x", id="user and password"),
    pytest.param("x://t0ken@h and a@b.c", f"x://{R}@h and a@b.c", id="user alone"),
    pytest.param("pg://u:p@ss%2F@db:5432/d", f"pg://{R}@db:5432/d", id="at sign in a password"),
    pytest.param("pg://u:p/w#?d@db/d", f"pg://{R}@db/d", id="slash in a password"),
    pytest.param(r'"https:\/\/u:pw@h\/"', rf'"https:\/\/{R}@h\/"', id="slashes escaped for JSON"),
    pytest.param("http://h:80/a@b http://h/?m=a@b.c", None, id="no user, at sign later"),
    pytest.param("ssh://git@host/r git@host:r", None, id="git is a name"),
    # ---- Authorization
    pytest.param("Authorization: Bearer ab.c-d", f"Authorization: {R}", id="bearer"),
    pytest.param(
        "> authorization: Basic YTpi denied", f"> authorization: {R} denied", id="basic, then words"
    ),
    pytest.param(
        "curl -H 'Authorization: Custom a b, c' https://h",
        f"curl -H 'Authorization: {R}' https://h",
        id="in a shell's quotes, with blanks",
    ),
    pytest.param(
        'curl -H "Proxy-Authorization: Basic YTpi" h',
        f'curl -H "Proxy-Authorization: {R}" h',
        id="of a proxy",
    ),
    pytest.param(
        '{"Authorization": "Token a b", "Host": "h"}',
        f'{{"Authorization": "{R}", "Host": "h"}}',
        id="JSON",
    ),
    pytest.param(
        r"{\"Authorization\":\"Bearer a\",\"b\":1}",
        rf"{{\"Authorization\":\"{R}\",\"b\":1}}",
        id="JSON in JSON",
    ),
    pytest.param(
        "[('Authorization', 'Digest u=\"b\", r=\"x\"'), ('Host', 'h')]",
        f"[('Authorization', '{R}'), ('Host', 'h')]",
        id="a list of pairs",
    ),
    pytest.param("b'Authorization': b'Bearer a'", f"b'Authorization': b'{R}'", id="bytes"),
    pytest.param(
        "Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=b\nnext",
        f"Authorization: {R}\nnext",
        id="to the end of the line",
    ),
    pytest.param("no Authorization header was sent", None, id="the word"),
    # ---- keys
    pytest.param(f"a\n{KEY}\nb", f"a\n{R}\nb", id="key"),
    pytest.param(f"a\n{KEY}\nb".replace("\n", "\r\n"), f"a\r\n{R}\r\nb", id="CRLF"),
    pytest.param(f'{{"k": "{KEY}"}}'.replace("\n", "\\n"), f'{{"k": "{R}"}}', id="key in JSON"),
    pytest.param(KEY.replace("\n", "\n12:00 app: "), R, id="every line has a prefix"),
    pytest.param(KEY[10:] + "\nb", f" RSA PRIVATE KEY-----\n{R}\nb", id="torn in its head"),
    pytest.param(KEY[50:] + "\nb", f"{R}\nb", id="beginning is lost"),
    pytest.param("c\n" + KEY[:-40] + "\nit failed", f"c\n{R}\nit failed", id="end is lost"),
    pytest.param(f"{KEY}\nb\n{KEY}", f"{R}\nb\n{R}", id="two keys"),
    pytest.param(
        "no -----BEGIN PRIVATE KEY----- in a.pem\n" + KEY, f"no {R} in a.pem\n{R}", id="mentioned"
    ),
    pytest.param(
        f"-----BEGIN CERTIFICATE-----\n{BODY}\n-----END CERTIFICATE-----", None, id="cert"
    ),
    # ---- shapes
    pytest.param("id AKIAIOSFODNN7EXAMPLE.", f"id {R}.", id="AWS id"),
    pytest.param(
        f"aws_secret_access_key = {AWS_KEY}", f"aws_secret_access_key = {R}", id="AWS ini"
    ),
    pytest.param(f'"SecretAccessKey": "{AWS_KEY}",', f'"SecretAccessKey": "{R}",', id="AWS JSON"),
    pytest.param(f"<SecretAccessKey>{AWS_KEY}</", f"<SecretAccessKey>{R}</", id="AWS XML"),
    pytest.param("ghp_" + "aB3" * 12 + " x", f"{R} x", id="GitHub"),
    pytest.param("github_pat_" + "11AB_cd" * 11, R, id="GitHub, fine-grained"),
    pytest.param("glpat-" + "aB-3_" * 4, R, id="GitLab"),
    pytest.param("glrtr-" + "aB-3_" * 4, R, id="GitLab, of a runner"),
    pytest.param("glsoat-" + "aB-3_" * 4, R, id="GitLab, SCIM"),
    pytest.param("xoxb-123456789012-abcDEF", R, id="Slack"),
    pytest.param(
        "https://hooks.slack.com/services/T0/B0/xY1 x",
        f"https://hooks.slack.com/services/{R} x",
        id="Slack, webhook",
    ),
    pytest.param("sk_live_" + "aB3" * 8 + ", x", f"{R}, x", id="Stripe"),
    pytest.param("rk_live_" + "aB3" * 8, R, id="Stripe, restricted"),
    pytest.param("whsec_" + "aB3" * 11, R, id="Stripe, of a webhook"),
    pytest.param("task_live_migrations2026november is a name", None, id="not Stripe"),
    pytest.param("t=eyJhbGciOiJI.eyJzdWIiOiIx.aB-_ x", f"t={R} x", id="JWT"),
    pytest.param("com.acme.KeyJournalWriter.writeEntries.run", None, id="not a JWT"),
    # ---- variables
    pytest.param("DB_PASSWORD=s3cr3t1 x", f"DB_PASSWORD={R} x", id="variable"),
    pytest.param("+ X_KEY='two words' y", f"+ X_KEY={R} y", id="variable in quotes"),
    pytest.param(r"API_TOKEN='it'\''s me' y", f"API_TOKEN={R} y", id="quote in quotes"),
    pytest.param('S_CRED="a \\" b c" y', f"S_CRED={R} y", id="variable in double quotes"),
    pytest.param("A_KEY=$KEY B_KEY=${KEY} TOKENS=1423000, KEY=ab", None, id="no secret variables"),
]


@dataclass
class Seeded:
    """A secret: the lines in which it stands, what must be nowhere, the variable that holds it."""

    kind: str
    text: str
    needles: list[str]
    env: dict[str, str] = field(default_factory=dict)


def word(rng, size, chars=string.ascii_letters + string.digits):
    return "".join(rng.choices(chars, k=size))


def env_value(rng, number):
    name = f"{rng.choice(['DB_PASS', 'API_TOKEN_', 'SECRET_', 'SIGNING_KEY', 'CREDS'])}{number}"
    value = rng.choice(
        [
            word(rng, rng.randint(6, 40)),
            " ".join(word(rng, 5) for _ in range(3)),
            word(rng, 8) + rng.choice("'\"\\&/+%$@\u00fc\n") + word(rng, 6),
        ]
    )
    shell = "'" + value.replace("'", "'\\''") + "'"
    in_url = quote(value, safe="")
    text = rng.choice(
        [
            f"connecting as app with {value}",
            f'login: password "{value}" was not accepted',
            f"+ mysql --password={shell} -e 'SELECT 1'",
            f"+ mysql {shlex.quote('--password=' + value)} -e 'SELECT 1'",
            f"GET /v1/items?api_key={in_url}&page=2 -> 401",
            f"GET /v1/items?api_key={in_url.replace('%2F', '%2f')}&page=2 -> 401",
            json.dumps({"user": "app", "password": value}),
            json.dumps({"user": "app", "password": value}).replace("/", "\\/"),
            json.dumps({"body": json.dumps({"password": value})}),
            repr({"user": "app", "password": value}),
            f"<p>{html.escape(value)} was not accepted</p>",
            f"{word(rng, 3)}{value}{word(rng, 3)}",
        ]
    )
    parts = "".join(c if c.isascii() and c.isalnum() else " " for c in value).split()
    return Seeded("environment", text, [part for part in parts if len(part) > 4], {name: value})


def url(rng, _):
    password = rng.choice(
        [word(rng, 12), quote(word(rng, 6) + "@/ #" + word(rng, 5), safe=""), word(rng, 6) + "!$*x"]
    )
    scheme = rng.choice(["postgres", "https", "amqp", "redis", "ftp", "mongodb+srv", "smtp"])
    address = f"{scheme}://{rng.choice(['app', 'deploy', ''])}:{password}@db{rng.randint(1, 9)}.lan"
    text = rng.choice(
        [
            f"fatal: unable to access '{address}/r.git/': 403",
            f"ERROR could not connect to {address}:5432/app?sslmode=require",
            json.dumps({"dsn": f"{address}/x"}).replace("/", "\\/"),
            f"(Background on this error: {address})",
            f"git clone https://{password}@git.example.com/org/repo.git",
        ]
    )
    return Seeded("url", text, [password])


def authorization(rng, _):
    value = word(rng, 24) + rng.choice(["", "==", "-_.~+/x"])
    scheme = rng.choice(["Bearer", "Basic", "token", "Token", "ApiKey", "Custom"])
    name = rng.choice(["Authorization", "authorization", "AUTHORIZATION", "Proxy-Authorization"])
    text = rng.choice(
        [
            f"> {name}: {scheme} {value}",
            f"curl -sS -H '{name}: {scheme} {value}' https://api.example.com/v1/x",
            f'curl -sS -H "{name}: {scheme} {value}" -d @body https://api.example.com/v1/x',
            json.dumps({name: f"{scheme} {value}", "Accept": "*/*"}),
            repr({name: f"{scheme} {value}", "Accept": "*/*"}),
            json.dumps(json.dumps({name: f"{scheme} {value}"})),
            f'{name}: Digest username="app", nonce="{word(rng, 8)}", response="{value}"',
            f"[HTTP/2] [1] [{name.lower()}: {scheme} {value}]",
            f"{name}: {value}",
        ]
    )
    return Seeded("authorization", text, [value])


def private_key(rng, _):
    kind = rng.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "])
    raw = base64.b64encode(rng.randbytes(rng.randint(120, 900))).decode()
    body = [raw[at : at + 64] for at in range(0, len(raw), 64)]
    lines = [f"-----BEGIN {kind}PRIVATE KEY-----", *body, f"-----END {kind}PRIVATE KEY-----"]
    text = rng.choice(
        [
            "\n".join(lines),
            "\n".join("    " + line for line in lines),
            "\n".join("2026-11-24T03:00:01 app[12]: " + line for line in lines),
            json.dumps({"client_email": "a@b.c", "private_key": "\n".join(lines) + "\n"}),
        ]
    )
    return Seeded("private key", text, body)


def aws(rng, _):
    capitals = string.ascii_uppercase + string.digits
    key_id = rng.choice(["AKIA", "ASIA"]) + word(rng, 16, capitals)
    secret = word(rng, 40, string.ascii_letters + string.digits + "/+")
    text, needle = rng.choice(
        [
            (f"using credentials {key_id} from instance profile", key_id),
            (f"Credential={key_id}/20261124/eu-west-1/s3/aws4_request", key_id),
            (f"aws_secret_access_key = {secret}", secret),
            (json.dumps({"AccessKeyId": "x", "SecretAccessKey": secret}), secret),
            (f"+ export AWS_SECRET_ACCESS_KEY={secret}", secret),
            (f'AWS_SECRET_ACCESS_KEY="{secret}"', secret),
        ]
    )
    return Seeded("aws", text, [needle])


def token(rng, _):
    value = rng.choice(
        [
            rng.choice(["ghp_", "gho_", "ghs_", "ghu_"]) + word(rng, 36),
            "github_pat_" + word(rng, 22) + "_" + word(rng, 59),
            "glpat-" + word(rng, 20, string.ascii_letters + "-_"),
            f"xox{rng.choice('abprs')}-{rng.randint(10**11, 10**12)}-{word(rng, 24)}",
            f"T{word(rng, 8)}/B{word(rng, 8)}/{word(rng, 24)}",
            rng.choice(["sk_live_", "rk_live_"]) + word(rng, 24),
            jwt(rng),
        ]
    )
    shown = f"https://hooks.slack.com/services/{value}" if value[0] == "T" else value
    text = rng.choice(
        [
            f"remote: {shown} is not authorised",
            f"export CI='{shown}'",
            f'{{"auth": "{shown}", "ok": false}}',
            f"POST /x?t={shown}&n=1 403",
            f"\x1b[31m{shown}\x1b[0m",
        ]
    )
    return Seeded("token", text, [value])


def jwt(rng):
    parts = [
        json.dumps({"alg": "RS256", "kid": word(rng, 6)}),
        json.dumps({"sub": word(rng, 9), "exp": rng.randint(10**9, 2 * 10**9)}),
        word(rng, 43),
    ]
    compact = (part.replace(" ", "").encode() for part in parts)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in compact)


KINDS = [(env_value, 50), (url, 45), (authorization, 55), (private_key, 30), (aws, 35), (token, 85)]


def payloads(message):
    """Return all that any channel would tell: Apprise lays out what the console does."""
    letter = mail.render(message, Mail(to=("ops@example.com",), sender="cron@example.com"))
    parts = [console.render(message), letter["Subject"], letter.get_content()]
    forms = (
        json.dumps(slack.render(message), ensure_ascii=False),
        document.encoded(message).decode(),
    )
    return "\n".join([*parts, *forms])


def secrets_of(seed):
    """Make 300 secrets of all kinds, in any order."""
    rng = random.Random(seed)
    made = [make(rng, number) for make, count in KINDS for number in range(count)]
    rng.shuffle(made)
    return made


INNOCENT = [
    lambda rng: f"commit {rng.randbytes(20).hex()} (HEAD -> main, origin/main)",
    lambda rng: f"{rng.randbytes(32).hex()}  /backups/db-{rng.randint(1, 31)}.sql.gz",
    lambda rng: f"Digest: sha256:{rng.randbytes(32).hex()}",
    lambda rng: f"request {uuid.UUID(bytes=rng.randbytes(16))} took {rng.randint(1, 999)} ms",
    lambda rng: f"data:image/png;base64,{base64.b64encode(rng.randbytes(66)).decode()}",
    lambda rng: base64.b64encode(rng.randbytes(57)).decode(),
    lambda rng: f"ssh-rsa {base64.b64encode(rng.randbytes(90)).decode()} backup@web1",
    lambda rng: f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(rng.randbytes(48)).decode()}",
    lambda rng: f"reading /etc/keys/public-{rng.randint(1, 99)}.key.pub and /srv/token/cache",
    lambda _: "unexpected token '}' at line 12; the key 'name' is missing",
    lambda rng: f"Enter passphrase for key '/root/.ssh/id_{rng.choice(['rsa', 'ed25519'])}':",
    lambda _: "401: no Authorization header, the bearer of this message is not authorised",
    lambda rng: f"mail to ops{rng.randint(1, 9)}@example.com about https://example.com/a/b?c=d",
    lambda rng: f"npm http fetch GET 200 https://registry.npmjs.org:443/@scope/pkg {rng.random()}",
    lambda rng: f"GET http://localhost:{rng.randint(1024, 65535)}/users?mail=a@b.example 200",
    lambda rng: (
        f"git@github.com:org/repo.git -> {rng.randbytes(4).hex()}..{rng.randbytes(4).hex()}"
    ),
    lambda rng: f"PASS: {rng.randint(1, 99)} tests; token count={rng.randint(1, 9)}",
    lambda rng: f"{word(rng, 9)}/key/{word(rng, 9)}.key: monkey=1 keys={rng.randint(1, 99)} TOKEN",
    lambda rng: f"PASSED=12 FAILED=0 TOKENS={rng.randint(10**6, 10**9)} ratio=0.5",
    lambda _: "=============== 12 passed, KEY LOCK held, PRIMARY KEY (id) ===============",
    lambda rng: f"account {rng.randint(10**15, 10**17)} balance {rng.randint(1, 10**9)}",
    lambda rng: f"com.acme.monkeyJobRunner.{word(rng, 12)}.execute.java:{rng.randint(1, 999)}",
    lambda rng: f"task_live_{word(rng, 20)} asia-northeast1 akia xoxo sk_live glpat",
    lambda rng: f"rsync: {word(rng, 30)}/{word(rng, 20)}.tar.zst {rng.randint(1, 10**9)} bytes",
    lambda rng: f'etag W/"{base64.b64encode(rng.randbytes(27)).decode()}" key_id=7 keyboard=us',
    lambda rng: f"2026-11-24T03:00:{rng.randint(10, 59)}Z INFO rows={rng.randint(1, 99999)} done",
    lambda _: "password for the secret garden: none asked; credentials are fine; pass 2 of 3",
]


def innocent_lines(seed, count):
    """Make lines that look like secrets to whoever looks carelessly."""
    rng = random.Random(seed)
    return [rng.choice(INNOCENT)(rng) for _ in range(count)]
