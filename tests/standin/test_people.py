"""What belongs to people: addresses and keys."""

from __future__ import annotations

from urllib.parse import quote

from tap_bitbucket.demo import BitbucketServer, World
from tests.standin.client import Client, basic

MEMBERS = "/workspaces/acme/members"
ASKED = 'user.email IN ("ann@example.com","bob@example.com")'


def test_addresses_need_filter_and_field(world: World, api: Client) -> None:
    """Members show their addresses only to who filters by them and asks for the field."""
    bob = world.add_user("Bob")
    world.add_member("acme", bob)
    fields = "+values.user.email"
    assert "email" not in api.get(MEMBERS, fields=fields).values[0]["user"]
    assert "email" not in api.get(MEMBERS, q=ASKED).values[0]["user"]
    rows = api.get(MEMBERS, q=ASKED, fields=fields).values
    assert [row["user"]["email"] for row in rows] == ["ann@example.com", "bob@example.com"]
    only = 'user.email IN ("bob@example.com")'
    assert len(api.get(MEMBERS, q=only, fields=fields).values) == 1


def test_a_name_is_no_filter(world: World, api: Client) -> None:
    """A text that only looks like the filter by address gives no addresses."""
    world.add_member("acme", world.add_user("user.email"))
    (row,) = api.get(MEMBERS, q='user.nickname="user.email"', fields="+values.user.email").values
    assert "email" not in row["user"]


def test_number_of_addresses(api: Client) -> None:
    """At most 90 addresses can be asked for at once."""
    for count, status in ((90, 200), (91, 400)):
        names = ",".join(f'"p{number}@example.com"' for number in range(count))
        assert api.get(MEMBERS, q=f"user.email IN ({names})").status == status


def test_addresses_are_for_administrators(world: World, server: BitbucketServer) -> None:
    """Administrators, integrations and workspace tokens may ask for addresses."""
    bob = world.add_user("Bob")
    world.add_member("acme", bob)
    world.identities.add_api_token("bob@example.com", "b", user=bob)
    workspace, rocket = world.workspace("acme"), world.repository("acme/rocket")
    world.identities.add_access_token("w", "workspace", bound_to=workspace)
    world.identities.add_access_token("r", "repository", bound_to=rocket)
    grant = {"grant_type": "client_credentials"}
    app = world.oauth.token_request("client", "secret", grant)["access_token"]
    keys = {
        basic("ann@example.com", "token"): 200, basic("bob@example.com", "b"): 403,
        "Bearer w": 200, "Bearer r": 403, f"Bearer {app}": 200,
    }  # fmt: skip
    for key, status in keys.items():
        assert Client(server, key).get(MEMBERS, q=ASKED).status == status


def test_emails(world: World, api: Client) -> None:
    """The caller's addresses are a list, and each can be shown."""
    ann = world.user("Ann")
    world.add_email(ann, "ann@work.example", is_confirmed=False)
    rows = api.get("/user/emails").values
    assert [(row["is_primary"], row["is_confirmed"]) for row in rows] == [
        (True, True), (False, False),
    ]  # fmt: skip
    assert api.get("/user/emails/ann@work.example").json == rows[1]
    world.delete_email(ann, "ann@work.example")
    assert api.get("/user/emails/ann@work.example").status == 404


def test_own_keys_only(world: World, api: Client) -> None:
    """Keys are shown to their owner, by uuid or account id; nobody else's are."""
    ann, bob = world.user("Ann"), world.add_user("Bob")
    key = world.add_ssh_key(ann, "Laptop")
    world.use_key(key)
    for name in (ann.uuid, ann.account_id):
        (row,) = api.get(f"/users/{quote(name)}/ssh-keys").values
        assert row["last_used"] is not None
        assert api.get(f"/users/{quote(name)}/ssh-keys/{key.name}").json == row
    assert api.get(f"/users/{bob.account_id}/ssh-keys").status == 403
    assert api.get("/users/nobody/gpg-keys").status == 404
    world.delete_ssh_key(key)
    assert api.get(f"/users/{ann.account_id}/ssh-keys").values == []


def test_gpg_keys(world: World, api: Client) -> None:
    """The key itself and its subkeys are shown only to who asks for them."""
    ann = world.user("Ann")
    key = world.add_gpg_key(ann, "Signing", subkeys=2)
    place = f"/users/{ann.account_id}/gpg-keys"
    assert not {"key", "subkeys"} & set(api.get(place).values[0])
    row = api.get(place, fields="+values.key,+values.subkeys").values[0]
    assert row["key"].startswith("-----BEGIN PGP PUBLIC")
    assert [one["parent_fingerprint"] for one in row["subkeys"]] == [key.fingerprint] * 2
    assert "key" not in api.get(place, fields="+values.subkeys").values[0]
    one = f"{place}/{key.fingerprint.upper()}"
    assert "key" not in api.get(one).json
    assert "key" in api.get(one, fields="+key").json
    world.delete_gpg_key(key)
    assert api.get(one).status == 404
