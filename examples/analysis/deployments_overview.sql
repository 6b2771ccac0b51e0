-- One row per deployment: what was brought where, when, how it ended, and whether it is there now.
-- Streams: deployments, environments, pipeline_steps, pipelines. Times are UTC.
create schema if not exists bitbucket_views;

create or replace view bitbucket_views.deployments_overview as
with ended as (
    select d.*,
           d.environment ->> 'uuid' as environment_uuid,
           -- UNDEPLOYED and IN_PROGRESS have no status; what COMPLETED has is how it ended.
           coalesce(d.state -> 'status' ->> 'name', d.state ->> 'name') as result,
           (d.state ->> 'name') = 'COMPLETED'
               and (d.state -> 'status' ->> 'name') = 'SUCCESSFUL' as was_successful,
           coalesce(d.completed_on, (d.state ->> 'completed_on')::timestamptz at time zone 'UTC')
               as completed_at,
           coalesce(d.created_on, (d.state ->> 'started_on')::timestamptz at time zone 'UTC')
               as started_at
    from bitbucket.deployments d
    where d._sdc_deleted_at is null
), deployment as (
    select *,
           row_number() over (
               partition by environment_uuid, coalesce(was_successful, false)
               order by completed_at desc nulls last, number desc
           ) as place
    from ended
)
select d.workspace,
       d.repository,
       e.name as environment,
       e.environment_type ->> 'name' as environment_type,
       d.number,
       d.result,
       coalesce(d.was_successful, false) as was_successful,
       d.release ->> 'name' as release,
       coalesce(d.commit ->> 'hash', d.release -> 'commit' ->> 'hash') as commit,
       p.build_number,
       coalesce(d.state -> 'deployer' ->> 'display_name', p.creator ->> 'display_name')
           as deployed_by,
       d.started_at,
       d.completed_at,
       round(extract(epoch from d.completed_at - d.started_at) / 60.0, 1)::float8
           as duration_minutes,
       coalesce(d.was_successful, false) and d.place = 1 as is_current,
       d.uuid as deployment_uuid,
       d.environment_uuid,
       d.repository_uuid,
       s.pipeline_uuid
from deployment d
left join bitbucket.environments e
  on e.uuid = d.environment_uuid -- also of one that was deleted since
left join bitbucket.pipeline_steps s
  on s.uuid = d.step ->> 'uuid' and s._sdc_deleted_at is null
left join bitbucket.pipelines p
  on p.uuid = s.pipeline_uuid and p._sdc_deleted_at is null;

comment on view bitbucket_views.deployments_overview is
    'One row per deployment: release, environment, result, times (UTC), and whether it is current.';
