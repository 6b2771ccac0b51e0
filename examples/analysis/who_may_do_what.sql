-- One row per person and repository: the permission in the end, whatever grants it.
-- Streams: workspace_repository_permissions (off by default; the account must administer the
-- workspace), workspace_permissions, repositories, users.
create schema if not exists bitbucket_views;

create or replace view bitbucket_views.who_may_do_what as
select r.workspace,
       r.slug as repository,
       r.project ->> 'key' as project_key,
       r.is_private as repository_is_private,
       coalesce(u.display_name, g.user ->> 'display_name') as person,
       w.permission as workspace_role,
       g.permission,
       g.permission in ('read', 'write', 'admin') as may_read,
       g.permission in ('write', 'admin') as may_write,
       g.permission = 'admin' as may_administer,
       w.last_accessed as last_seen_at,
       w.user_uuid is null as is_from_outside,
       g.user_uuid as person_uuid,
       g.repository_uuid
from bitbucket.workspace_repository_permissions g
join bitbucket.repositories r
  on r.uuid = g.repository_uuid and r._sdc_deleted_at is null
left join bitbucket.workspace_permissions w
  on w.workspace = g.workspace and w.user_uuid = g.user_uuid and w._sdc_deleted_at is null
left join bitbucket.users u on u.uuid = g.user_uuid
where g._sdc_deleted_at is null;

comment on view bitbucket_views.who_may_do_what is
    'One row per person and repository: permission, role in the workspace, when last seen (UTC).';
