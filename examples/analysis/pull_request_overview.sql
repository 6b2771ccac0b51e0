-- One row per pull request: who, between which branches, who reviews it, and how long it took.
-- Streams: pull_requests, pull_request_activity, repositories, users. Times are UTC.
create schema if not exists bitbucket_views;

create or replace view bitbucket_views.pull_request_overview as
with review as (
    -- A review is a comment, an approval or a request for changes by anybody but the author.
    select a.repository_uuid,
           a.pull_request_id,
           min(a.occurred_on) as first_review_at,
           min(a.occurred_on) filter (where a.kind = 'approval') as first_approval_at,
           count(*) filter (where a.kind = 'comment') as review_comments
    from bitbucket.pull_request_activity a
    join bitbucket.pull_requests p
      on p.repository_uuid = a.repository_uuid and p.id = a.pull_request_id
    where a.kind in ('comment', 'approval', 'changes_requested')
      and a.actor_uuid is distinct from p.author ->> 'uuid'
      and a._sdc_deleted_at is null
    group by a.repository_uuid, a.pull_request_id
), ending as (
    select repository_uuid,
           pull_request_id,
           min(occurred_on) as closed_at,
           min(occurred_on) filter (where "update" ->> 'state' = 'MERGED') as merged_at
    from bitbucket.pull_request_activity
    where kind = 'update' and "update" ->> 'state' <> 'OPEN' and _sdc_deleted_at is null
    group by repository_uuid, pull_request_id
)
select p.workspace,
       p.repository,
       p.id as number,
       p.title,
       p.state,
       p.draft as is_draft,
       coalesce(author.display_name, p.author ->> 'display_name') as author,
       p.source -> 'branch' ->> 'name' as source_branch,
       p.destination -> 'branch' ->> 'name' as target_branch,
       people.reviewers,
       people.reviewer_count,
       people.approved_by,
       people.approval_count,
       people.changes_requested_by,
       p.comment_count as comments,
       coalesce(review.review_comments, 0) as review_comments,
       p.task_count as open_tasks,
       p.created_on as opened_at,
       review.first_review_at,
       review.first_approval_at,
       ended.merged_at,
       ended.closed_at,
       p.updated_on as updated_at,
       round(extract(epoch from review.first_review_at - p.created_on) / 3600.0, 1)::float8
           as hours_to_first_review,
       round(extract(epoch from review.first_approval_at - p.created_on) / 3600.0, 1)::float8
           as hours_to_first_approval,
       round(extract(epoch from ended.merged_at - p.created_on) / 3600.0, 1)::float8
           as hours_to_merge,
       p.closed_by ->> 'display_name' as closed_by,
       'https://bitbucket.org/' || p.repository_full_name || '/pull-requests/' || p.id as address,
       (r.uuid is not null) as repository_exists,
       p.repository_uuid,
       p.author ->> 'uuid' as author_uuid
from bitbucket.pull_requests p
left join bitbucket.repositories r
  on r.uuid = p.repository_uuid and r._sdc_deleted_at is null
left join bitbucket.users author on author.uuid = p.author ->> 'uuid'
left join review
  on review.repository_uuid = p.repository_uuid and review.pull_request_id = p.id
left join ending
  on ending.repository_uuid = p.repository_uuid and ending.pull_request_id = p.id
-- The times that the activity tells; without them, when Bitbucket says that it was closed.
cross join lateral (
    select case when p.state <> 'OPEN' then coalesce(ending.closed_at, p.closed_on) end
               as closed_at,
           case when p.state = 'MERGED' then coalesce(ending.merged_at, p.closed_on) end
               as merged_at
) ended
-- Those who take part now; who was taken off the reviewers is not among them.
cross join lateral (
    select string_agg(name, ', ' order by name) filter (where role = 'REVIEWER') as reviewers,
           count(*) filter (where role = 'REVIEWER') as reviewer_count,
           string_agg(name, ', ' order by name) filter (where approved) as approved_by,
           count(*) filter (where approved) as approval_count,
           string_agg(name, ', ' order by name) filter (where verdict = 'changes_requested')
               as changes_requested_by
    from (
        select one -> 'user' ->> 'display_name' as name,
               one ->> 'role' as role,
               (one ->> 'approved')::boolean as approved,
               one ->> 'state' as verdict
        from unnest(p.participants) as one
    ) participant
) people
where p._sdc_deleted_at is null;

comment on view bitbucket_views.pull_request_overview is
    'One row per pull request: people, branches, state and times (UTC).';
