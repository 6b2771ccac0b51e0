-- One row per pull request: how much it changes. Joins to pull_request_overview by
-- repository_uuid and number.
-- Streams: pull_requests, pull_request_diffstat (off by default: a request per pull request).
create schema if not exists bitbucket_views;

create or replace view bitbucket_views.pull_request_sizes as
select p.workspace,
       p.repository,
       p.id as number,
       p.title,
       count(*) as files_changed,
       sum(d.lines_added)::bigint as lines_added,
       sum(d.lines_removed)::bigint as lines_removed,
       sum(d.lines_added + d.lines_removed)::bigint as lines_changed,
       count(*) filter (where d.status = 'added') as files_added,
       count(*) filter (where d.status = 'removed') as files_removed,
       p.repository_uuid
from bitbucket.pull_requests p
join (
    -- A file that a pull request no longer touches stays in the table with an older time.
    select *, max(pull_request_updated_on) over (partition by repository_uuid, pull_request_id)
                  as latest
    from bitbucket.pull_request_diffstat
    where _sdc_deleted_at is null
) d
  on d.repository_uuid = p.repository_uuid
 and d.pull_request_id = p.id
 and d.pull_request_updated_on = d.latest
where p._sdc_deleted_at is null
group by p.workspace, p.repository, p.id, p.title, p.repository_uuid;

comment on view bitbucket_views.pull_request_sizes is
    'One row per pull request: files and lines that it changes.';
