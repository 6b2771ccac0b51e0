"""What Halley Labs has set up: keys, permissions, webhooks, models, snippets, files.

All of it happens aside, so that it changes no id of what happens in the history and the story.
Strings that begin with `halley-` and look like tokens are planted: no client may give them away.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_bitbucket.demo.example.company import Company


def furnish(company: Company) -> None:
    """Set everything up, one thing after the other, 300 to 20 days ago."""
    days = (
        (300, _people), (280, _permissions), (260, _workspace_settings), (240, _branching),
        (220, _restrictions), (200, _deploy_keys), (120, _hooks_and_variables), (60, _snippets),
        (40, _files), (20, _onlookers),
    )  # fmt: skip
    for ago, set_up in days:
        with company.world.aside(company.anchor - timedelta(days=ago)):
            set_up(company)


def _people(company: Company) -> None:
    """Give the person whose credentials are used addresses and keys."""
    world, maya = company.world, company.people["maya"]
    world.add_email(maya, "maya@observatory.example")
    world.add_email(maya, "m.lindqvist@old.example", is_confirmed=False)
    world.add_ssh_key(maya, "Laptop", "maya@laptop", last_used=company.anchor - timedelta(days=2))
    world.add_ssh_key(maya, "", expires_on=company.anchor + timedelta(days=90))
    world.add_gpg_key(maya, "Maya's signing key", subkeys=2)
    world.add_gpg_key(maya, "Old key", expires_on=company.anchor - timedelta(days=100))
    world.add_ssh_key(company.people["tomasz"], "Tomasz's own")


def _permissions(company: Company) -> None:
    """Give explicit permissions, to people who left and to groups as well."""
    world, people = company.world, company.people
    control, portal = company.repositories["telescope-control"], company.repositories["web-portal"]
    workspace = control.workspace
    administrators = world.add_group(workspace, "administrators")
    developers = world.add_group(workspace, "developers")
    observers = world.add_group(workspace, "observers", "Observers & guests")
    for place in (control, portal):
        world.set_permission(place, people["lena"], "write")
        world.set_permission(place, company.former, "read")
        world.set_permission(place, developers, "write")
    world.set_permission(control, people["ravi"], "admin")
    world.set_permission(control, administrators, "admin")
    world.set_permission(portal, observers, "read")
    sky, ops = workspace.projects["SKY"], workspace.projects["OPS"]
    world.set_permission(sky, people["ravi"], "create-repo")
    world.set_permission(sky, company.former, "read")
    world.set_permission(sky, developers, "write")
    world.set_permission(ops, company.robot, "write")
    world.set_permission(ops, administrators, "admin")
    world.set_default_reviewers(workspace.projects["LAB"], people["diego"], company.former)


def _workspace_settings(company: Company) -> None:
    """Set up what holds for the whole workspace."""
    world = company.world
    workspace = company.repositories["telescope-control"].workspace
    token = world.plant("halley-chat-token-51c7e0")
    world.add_hook(
        workspace, f"https://chat.example.com/hooks?token={token}",
        ["repo:created", "repo:deleted", "project:updated"], description="Chat room",
        secret="halley-hook-secret-9f3d",
    )  # fmt: skip
    user_info = world.plant("halley-audit-password-77aa")
    quiet = world.add_hook(
        workspace, f"https://audit:{user_info}@audit.example.com/", ["repo:push"]
    )
    world.update_hook(quiet, active=False)
    world.add_variable(workspace, "TELESCOPE_SITE", "atacama")
    world.add_variable(workspace, "SENTRY_TOKEN", "halley-sentry-token-02be", secured=True)
    world.add_variable(workspace, "NPM_TOKEN", world.plant("halley-npm-token-c41f"))


def _branching(company: Company) -> None:
    """Set up branching models: of two projects, and of two repositories of their own."""
    world, places = company.world, company.repositories
    projects = places["telescope-control"].workspace.projects
    world.set_branching_model(projects["SKY"], production="production", prefixes={"bugfix": None})
    world.set_branching_model(projects["LAB"], development="trunk", prefixes={"feature": "try/"})
    world.set_branching_model(
        places["telescope-control"], production="release/1.0", prefixes={"release": "rel/"},
        is_valid=False,
    )  # fmt: skip
    world.set_branching_model(places["image-pipeline"], development="develop", is_valid=None)
    world.set_override(places["telescope-control"], "branch_restrictions", value=False)
    world.set_override(places["web-portal"], "default_merge_strategy", value=False)


def _restrictions(company: Company) -> None:
    """Restrict branches in every way: by glob, by model, with people, with groups."""
    world, people = company.world, company.people
    control = company.repositories["telescope-control"]
    developers = control.workspace.groups["developers"]
    world.add_restriction(
        control, "push", "release/*", users=[people["maya"], company.robot], groups=[developers]
    )
    world.add_restriction(control, "delete", "", branch_type="production")
    world.add_restriction(control, "require_passing_builds_to_merge", "main", 2)


def _deploy_keys(company: Company) -> None:
    """Let machines read."""
    world, places = company.world, company.repositories
    control = places["telescope-control"]
    used = company.anchor - timedelta(hours=5)
    world.add_deploy_key(control, "dome", comment="root@dome", last_used=used)
    world.add_deploy_key(control, "backup", owner=company.people["maya"])
    world.add_deploy_key(places["web-portal"], "staging")
    projects = control.workspace.projects
    world.add_deploy_key(projects["SKY"], "mirror", comment="mirror@archive", last_used=used)
    world.add_deploy_key(projects["OPS"], "ops", owner=company.people["tomasz"])


def _hooks_and_variables(company: Company) -> None:
    """Set up what repositories tell others, and what their pipelines are told."""
    world, places = company.world, company.repositories
    control, portal = places["telescope-control"], places["web-portal"]
    token = world.plant("halley-build-token-e60d")
    world.add_hook(
        control, f"https://ci.example.com/trigger/{token}", ["repo:push", "pullrequest:created"],
        description="Build server", secret="halley-hook-secret-b812",
    )  # fmt: skip
    world.add_hook(portal, "http://legacy.example.com/hook", ["issue:created"])
    world.add_variable(control, "PYPI_PASSWORD", world.plant("halley-pypi-password-3d19"))
    world.add_variable(places["infrastructure"], "VAULT", "halley-vault-token-ab44", secured=True)
    password = world.plant("halley-clone-password-f58b")
    world.show_clone_user(places["infrastructure"], f"reader:{password}")
    for place in (control, portal):
        for environment in place.environments[1:]:
            world.add_variable(environment, "BASE_URL", f"https://{environment.slug}.example.com")
            world.add_variable(
                environment, "DATABASE_URL", f"halley-database-{place.slug}", secured=True
            )
    production = control.environments[2]
    world.add_variable(production, "MAIL_KEY", world.plant("halley-mail-key-90cd"))


def _snippets(company: Company) -> None:
    """Write snippets, one of them by somebody who is gone."""
    world, people = company.world, company.people
    workspace = company.repositories["telescope-control"].workspace
    polar = world.add_snippet(
        workspace, "Polar alignment", people["aiko"], files=["align.py", "notes.md"]
    )
    world.push_snippet(polar, "Mention the second star", people["aiko"])
    first = world.comment_on_snippet(polar, people["maya"], "Where is north?")
    world.comment_on_snippet(polar, people["aiko"], "Up.", parent=first)
    world.add_snippet(workspace, "", company.former, is_private=False)
    orphan = world.add_snippet(workspace, "Cron lines", None, files=[])
    slip = world.comment_on_snippet(orphan, company.former, "Wrong window, sorry")
    world.delete_snippet_comment(slip)
    world.delete_snippet(world.add_snippet(workspace, "Thrown away", people["lena"]))


def _files(company: Company) -> None:
    """Put up downloads, and files of all kinds."""
    world, people = company.world, company.people
    control = company.repositories["telescope-control"]
    manual = world.add_download(control, "Handbuch Süd.pdf", 1_482_002, people["tomasz"])
    world.count_download(manual, 17)
    world.add_download(control, "telescope-control-1.0.0.tar.gz", 88_210, company.robot)
    world.add_download(control, "empty.txt", 0, company.former)
    world.add_download(company.repositories["web-portal"], "old.zip", 5_000_000_000)
    for path, size, attributes, kind in (
        ("assets/dome.png", 3_470, ("binary", "lfs"), "image/png"),
        ("bin/slew", 812, ("executable",), None),
        ("docs/latest", 12, ("link",), None),
        ("vendor/ephemeris", 0, ("subrepository",), None),
        ("data/" + "/".join("abcdefghijkl") + "/table.csv", 99, (), "text/csv"),
    ):
        world.add_file(control, path, size, attributes=attributes, mimetype=kind)


def _onlookers(company: Company) -> None:
    """Let people watch and fork; one fork is in a workspace of somebody else's.

    Nobody knows any more who opened the first pull request on the infrastructure.
    """
    world, places = company.world, company.repositories
    control = places["telescope-control"]
    for user in (company.people["tomasz"], company.former, company.robot):
        world.watch(control, user)
    world.watch(places["star-catalog"], company.people["diego"])
    world.forget_author(places["infrastructure"].pull_requests[1])
    stranger = world.add_user("Nora Petrov")
    world.add_fork_elsewhere(control, stranger)
    world.add_fork_elsewhere(control, stranger, "telescope-control-south", language="python")
