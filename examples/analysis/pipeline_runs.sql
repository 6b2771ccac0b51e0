-- One row per run of a pipeline: what it ran on, how it ended, and what it took.
-- Streams: pipelines, pipeline_steps. Times are UTC.
create schema if not exists bitbucket_views;

create or replace view bitbucket_views.pipeline_runs as
select p.workspace,
       p.repository,
       p.build_number,
       -- Ended: SUCCESSFUL, FAILED, STOPPED, ...; until then what it is doing.
       coalesce(
           p.state -> 'result' ->> 'name', p.state -> 'stage' ->> 'name', p.state ->> 'name'
       ) as result,
       (p.state ->> 'name') = 'COMPLETED' as has_ended,
       (p.state -> 'result' ->> 'name') = 'SUCCESSFUL' as was_successful,
       p.trigger ->> 'name' as trigger,
       p.creator ->> 'display_name' as started_by,
       p.target ->> 'ref_type' as ref_type,
       p.target ->> 'ref_name' as ref_name,
       p.target -> 'commit' ->> 'hash' as commit,
       p.created_on as started_at,
       p.completed_on as completed_at,
       date_trunc('week', p.created_on)::date as week,
       case when p.completed_on is not null
            then round(p.duration_in_seconds / 60.0, 1)::float8 end as duration_minutes,
       round(p.build_seconds_used / 60.0, 1)::float8 as build_minutes_used,
       step.count as steps,
       step.failed as failed_steps,
       'https://bitbucket.org/' || p.repository_full_name || '/pipelines/results/'
           || p.build_number as address,
       p.uuid as pipeline_uuid,
       p.repository_uuid
from bitbucket.pipelines p
cross join lateral (
    select count(*) as count,
           string_agg(s.name, ', ' order by s.started_on) filter (
               where s.state -> 'result' ->> 'name' in ('FAILED', 'ERROR')
           ) as failed
    from bitbucket.pipeline_steps s
    where s.pipeline_uuid = p.uuid and s._sdc_deleted_at is null
) step
where p._sdc_deleted_at is null;

comment on view bitbucket_views.pipeline_runs is
    'One row per run of a pipeline: trigger, result, duration (times in UTC).';
