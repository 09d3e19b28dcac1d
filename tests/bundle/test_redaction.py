"""Nothing secret is given away, and what is no secret stays readable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.bundle.redaction import MARK, Redactor, secrets_in
from launcher.bundle.secret_names import is_secret_name

S = "Zq7kWm2xR9tLpV4n"  # a secret without a form of its own

HIDDEN = (
    f"HF_TOKEN={S}",
    f"export AWS_SECRET_ACCESS_KEY='{S}'",
    f"password: {S}",
    f"db.password = {S}",
    f'{{"apiKey": "{S}"}}',
    f'"{{\\"token\\": \\"{S}\\"}}"',
    f"train.py --hf-token {S} --lr 1e-5",
    f"train.py --wandb_api_key={S}",
    f"argv: ['train.py', '--password', '{S}']",
    f"clone https://user:{S}@git.example.com/a.git",
    f"clone https://{S}@git.example.com/a.git",
    f"postgres://train:{S}/x@db:5432/runs",
    f"GET /data?file=a&X-Amz-Signature={S}&b=1",
    f"Authorization: Bearer {S}",
    f"curl -H 'Authorization: token {S}'",
    f"Cookie: session={S}; theme=dark",
    f"OBS_SK={S}",
    f"MYSQL_PWD={S}",
    "ghp_0123456789abcdefghijABCDEFGHIJ0123",
    "key is hf_abcdefghijklmnopqrstuvwxyz",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
)

SHOWN = (
    "max_tokens=4096 tokens_per_second: 1234.5 pad_token_id: 0 eos_token: </s>",
    "PWD=/home/train OLDPWD=/home",
    "[ERROR] HCCL(1104629,python):2025-10-28-17:45:13.679.684 [param_check.cc:66] errNo[0x0000000005010001]",
    "TOKEN_FILE=/run/token num_tokens: 12 key: value, sort_key=lambda",
    "epoch: 1 step: 1, loss is 2.3",
    "token: 3, secret: null, password: ",
    "connect tcp://10.0.0.1:6379 and http://host:8080/path",
    "rank[1] tag[AllReduce_127.10.0.1%enp_60000_0_1761275812718970]",
)


@pytest.mark.parametrize("text", HIDDEN)
def test_secrets_do_not_come_through(text: str) -> None:
    redacted = Redactor().text(text)
    for secret in (S, "0123456789abcdefghij", "abcdefghijklmnop", "IOSFODNN7", "eyJzdWIi", "MIIEpAIB"):
        assert secret not in redacted
    assert MARK in redacted


@pytest.mark.parametrize("text", SHOWN)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize("text", (*HIDDEN, *SHOWN))
def test_to_redact_twice_is_to_redact_once(text: str) -> None:
    once = Redactor().text(text)
    assert Redactor().text(once) == once


def test_structures_are_redacted_by_their_keys_at_any_depth() -> None:
    value = {
        "env": {"HF_TOKEN": S, "RANK_ID": "0", "http_proxy": f"http://me:{S}@proxy:3128"},
        "argv": ["train.py", "--token", S, "--steps", "10", f"--api-key={S}"],
        "variables": [{"name": "WANDB_API_KEY", "value": S}, ["DB_PASSWORD", "1234"]],
        "max_tokens": 4096,
    }
    redacted = Redactor().value(value)
    assert S not in json.dumps(redacted)
    assert redacted["env"]["RANK_ID"] == "0"
    assert redacted["argv"][3:5] == ["--steps", "10"]
    assert redacted["variables"][0]["name"] == "WANDB_API_KEY"
    assert redacted["variables"][1] == ["DB_PASSWORD", MARK]
    assert redacted["max_tokens"] == 4096


def test_a_secret_that_is_known_by_its_name_is_found_where_it_has_none() -> None:
    plan = {"env": {"HF_TOKEN": S}, "argv": ["--password", "pass word/1"]}
    redactor = Redactor(secrets_in(plan))
    assert redactor.text(f"login with {S} ok") == f"login with {MARK} ok"
    assert redactor.text("GET /?q=pass%20word%2F1") == f"GET /?q={MARK}"


def test_short_values_are_not_looked_for_everywhere() -> None:
    assert Redactor(["abc"]).text("abcdef") == "abcdef"


@pytest.mark.parametrize("name", ("token", "hfToken", "my-secret", "AccessKeyId", "STORAGE_ACCOUNT_KEY", "db_pass"))
def test_names_of_secrets_are_known_in_every_spelling(name: str) -> None:
    assert is_secret_name(name)


@given(text=st.text(st.sampled_from("aT:=-\"'\\ \n[]{}@/.,;ktoken"), max_size=60))
def test_lines_stay_lines_whatever_is_in_them(text: str) -> None:
    assert Redactor(["kT:=ab"]).text(text).count("\n") == text.count("\n")
