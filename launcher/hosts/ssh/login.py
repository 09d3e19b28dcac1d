"""Logging in to a server whose host key is verified: by keys alone, and an account of each one if none is taken.

Importing this module imports paramiko.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import paramiko

from launcher.hosts.ssh.destination import SSH_PORT, Destination
from launcher.hosts.ssh.keys import Agent, Flaw, Offer, offers, open_agent
from launcher.hosts.ssh.problems import SshError, Step, quoted


def log_in(transport: paramiko.Transport, to: Destination) -> None:
    """Log in as the user that the destination names. Raises SshError, which lists what was offered."""
    agent = open_agent(to)
    try:
        keys, flaws = offers(to, agent if isinstance(agent, Agent) else None)
        _offer(transport, to, keys, [*([agent] if isinstance(agent, Flaw) else []), *flaws])
    finally:
        if isinstance(agent, Agent):
            agent.close()


def _offer(transport: paramiko.Transport, to: Destination, keys: Sequence[Offer], flaws: Sequence[Flaw]) -> None:
    refused: list[str] = []
    for offer in keys:
        try:
            further = transport.auth_publickey(to.user, offer.key)
        except paramiko.BadAuthenticationType as error:
            raise SshError(
                to.host,
                Step.LOG_IN,
                f"{to} takes no keys, only {quoted(', '.join(error.allowed_types))}",
                expected="login by key: passwords are not asked for",
                remedy="there: PubkeyAuthentication yes in sshd_config",
            ) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            if "timeout" in str(error).lower():
                raise SshError(
                    to.host,
                    Step.LOG_IN,
                    f"{to} did not answer within {to.timeout:g} s whether it takes {offer.label}",
                    remedy="see sshd's log there: a home, a name service or PAM that hangs",
                ) from None
            if isinstance(error, (EOFError, OSError)) or not transport.is_active():
                raise _hung_up(to, [*refused, offer.label], error) from None
            refused.append(offer.label)
        else:
            if further:
                raise SshError(
                    to.host,
                    Step.LOG_IN,
                    f"{to} takes {offer.label} and then wants {quoted(', '.join(further))} as well",
                    expected="login by one key",
                    remedy="there: AuthenticationMethods publickey in sshd_config, for this user or address",
                )
            return
    raise _refusal(to, refused, flaws)


def _hung_up(to: Destination, offered: Sequence[str], error: Exception) -> SshError:
    """The server went away between two keys; or the agent did, which ends the connection as well."""
    if "agent" in str(error) or "signing" in str(error):
        return SshError(
            to.host,
            Step.LOG_IN,
            f"{offered[-1]} was not signed with: {quoted(str(error))}",
            remedy="unlock or confirm the key in the agent (ssh-add -l), or name another (ssh: {key: FILE})",
        )
    return SshError(
        to.host,
        Step.LOG_IN,
        f"{to} closed the connection after {len(offered)} key{'s' * (len(offered) > 1)}: {', '.join(offered)}",
        expected="the right key among the first (MaxAuthTries), and an account that may log in",
        remedy="name it (ssh: {key: FILE} in the cluster spec), or set IdentitiesOnly yes in ~/.ssh/config"
        if len(offered) > 1
        else "see sshd's log there",
    )


def _refusal(to: Destination, refused: Sequence[str], flaws: Sequence[Flaw]) -> SshError:
    account = [f"{label}: refused" for label in refused] + [f"{flaw.label}: {flaw.reason}" for flaw in flaws]
    mends = [flaw.remedy for flaw in flaws if flaw.remedy]
    if not mends:
        port = [] if to.port == SSH_PORT else ["-p", str(to.port)]
        named = [] if not to.named else ["-i", str(to.keys[0])]
        mends = [
            f"{shlex.join(['ssh-copy-id', *named, *port, f'{to.user}@{to.address}'])}, "
            "or name another user or key (ssh: {user, key} in the cluster spec)"
        ]
        if not refused and not to.named:
            mends.insert(0, "ssh-keygen -t ed25519")
    return SshError(
        to.host,
        Step.LOG_IN,
        f"{to} takes none of our keys: {'; '.join(account)}",
        expected="login by key: passwords are not asked for",
        remedy="; ".join(mends),
    )
