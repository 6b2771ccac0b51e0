"""Who may see what: scopes, boundaries of access tokens, and refused places."""

from __future__ import annotations

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.call import Call
from tap_bitbucket.demo.identity import Identity
from tap_bitbucket.demo.model import Project, Repository, Workspace
from tap_bitbucket.demo.routing import Route
from tap_bitbucket.demo.settings import Settings

NOT_AUTHENTICATED = "Access token is missing. Send your credentials in the Authorization header."
NOT_THIS_WAY = "This API is not accessible by this authentication mechanism"


def check_scopes(route: Route, identity: Identity, settings: Settings) -> None:
    """Answer 403 when a scope is missing, or when the kind of credential is not accepted."""
    if route.public or identity.kind == "anonymous":
        return
    refused = route.people_only and (identity.is_token or identity.kind == "app")
    if route.permission_list and identity.is_token and settings.token_permissions == "allow":
        refused = False
    if refused or (route.no_tokens and identity.is_token):
        raise errors.core(403, NOT_THIS_WAY)
    needed = list(route.scopes.needed_by(identity.kind))
    if not all(identity.has(scope) for scope in needed):
        raise errors.missing_scope(needed, list(identity.scopes))


def member_of(identity: Identity, workspace: Workspace) -> bool:
    """Tell whether the caller belongs to a workspace, in person or by a bound token."""
    bound = identity.bound_to
    if isinstance(bound, Workspace):
        return bound is workspace
    if isinstance(bound, Project | Repository):
        return bound.workspace is workspace
    return any(member.user is identity.user for member in workspace.members)


def sees(identity: Identity, repo: Repository) -> bool:
    """Tell whether the caller gets to see a repository at all."""
    bound = identity.bound_to
    if isinstance(bound, Repository):
        return bound is repo
    if isinstance(bound, Project):
        return bound is repo.project
    return not repo.is_private or member_of(identity, repo.workspace)


def administers(
    identity: Identity, workspace: Workspace, place: Repository | Project | None = None
) -> bool:
    """Tell whether the caller has administrator rights, on a place in a workspace or on all."""
    bound = identity.bound_to
    if isinstance(bound, Project | Repository):
        above = place.project if isinstance(place, Repository) else None
        return place is not None and bound in (place, above)
    if identity.user is None or identity.kind == "app":
        return member_of(identity, workspace)
    if place is not None and place.permissions.get(identity.user.uuid) == "admin":
        return True
    return any(
        member.user is identity.user and member.permission == "owner"
        for member in workspace.members
    )


def enter(call: Call, route: Route) -> None:
    """Find the workspace and the repository of the path, and see that the caller may enter."""
    name = call.args.get("workspace")
    if name is None:
        if call.identity.kind == "anonymous" and not route.public:
            raise errors.not_authenticated(NOT_AUTHENTICATED)
        return
    anonymous = call.identity.kind == "anonymous"
    try:
        workspace = call.world.workspace(name)
    except KeyError:
        if anonymous:
            raise errors.not_authenticated(NOT_AUTHENTICATED) from None
        raise errors.core(404, f"No workspace with identifier '{name}'.") from None
    call.found_workspace = workspace
    slug = call.args.get("repo_slug")
    if anonymous:
        _enter_as_nobody(route, workspace, slug)
    elif workspace.refused is not None:
        raise _refused(workspace.refused, f"Workspace {workspace.slug} is not available")
    if slug is not None and route.pattern.startswith("/repositories/"):
        call.found_repository = _repository(call, route, workspace, slug)
    elif not anonymous and not member_of(call.identity, workspace):
        raise errors.core(403, "You do not have access to this workspace.")
    _check_administrator(call, route, workspace)


def _check_administrator(call: Call, route: Route, workspace: Workspace) -> None:
    """Answer 403 where only administrators may look."""
    if route.admin is None:
        return
    place: Repository | Project | None = None
    message = "You must be an administrator of this workspace."
    if route.admin == "project":
        place = call.project
        message = "You must have admin permission on this project to access this resource."
    elif route.admin == "repository":
        slug = call.args.get("repo_slug", "")
        place = call.found_repository or workspace.repositories.get(slug)
        message = "You must have admin permission on this repository to access this resource."
    if administers(call.identity, workspace, place):
        return
    if route.service == "pipelines":
        raise errors.pipelines(403, "Forbidden", message, "forbidden")
    raise errors.core(403, message)


def _enter_as_nobody(route: Route, workspace: Workspace, slug: str | None) -> None:
    """Let nobody in, except to public repositories."""
    repo = workspace.repositories.get(slug or "")
    public = repo is not None and not repo.is_private and route.admin is None
    if slug is None and route.pattern == "/repositories/{workspace}":
        public = any(not one.is_private for one in workspace.repositories.values())
    if not public:
        raise errors.not_authenticated(NOT_AUTHENTICATED)


def _repository(call: Call, route: Route, workspace: Workspace, slug: str) -> Repository:
    repo = workspace.repositories.get(slug)
    if repo is None:
        repo = next((r for r in workspace.repositories.values() if r.uuid == slug), None)
    if repo is None and slug in workspace.moved:
        moved = workspace.moved[slug]
        if moved.slug in workspace.repositories and sees(call.identity, moved):
            old, new = f"/{slug}", f"/{moved.slug}"
            place = call.url_with().replace(old, new, 1)
            raise errors.ApiError(301, "", {"Location": place})
    if repo is None or not sees(call.identity, repo):
        if "/commits/{revision" in route.pattern and repo is None:
            raise errors.html_missing()
        raise errors.repository_missing()
    if repo.refused is not None:
        raise _refused(repo.refused, f"Repository {repo.full_name} is not available")
    off = not repo.pipelines_enabled
    if route.service == "pipelines" and off and not (route.when_off and repo.pipelines_configured):
        raise errors.pipelines(
            404, "Not Found", "Pipelines is not enabled for this repository", "not-found"
        )
    return repo


def _refused(status: int, message: str) -> errors.ApiError:
    if status == 403:
        return errors.core(403, "Your credentials do not allow access to this resource.")
    if status == 404:
        return errors.repository_missing()
    return errors.core(status, message)
