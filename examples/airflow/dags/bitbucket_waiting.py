"""Pull requests that wait, made anew whenever Bitbucket was loaded: a DAG that follows an Asset."""

from datetime import datetime, timezone

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset

QUERY = """
    begin;
    drop table if exists pull_requests_waiting;
    create table pull_requests_waiting as
        select repository, id, title, author ->> 'display_name' as author, created_on
        from bitbucket.pull_requests
        where state = 'OPEN'
        order by created_on;
    commit;
"""

with DAG(
    "bitbucket_waiting",
    schedule=[Asset("bitbucket")],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
):
    BashOperator(
        task_id="pull_requests_waiting",
        bash_command='psql --no-psqlrc --set=ON_ERROR_STOP=1 --command="$QUERY"',
        env={
            "QUERY": QUERY,
            "PGHOST": "{{ conn.warehouse.host }}",
            "PGPORT": "{{ conn.warehouse.port or 5432 }}",
            "PGUSER": "{{ conn.warehouse.login }}",
            "PGPASSWORD": "{{ conn.warehouse.password }}",
            "PGDATABASE": "{{ conn.warehouse.schema }}",
        },
        append_env=True,
        do_xcom_push=False,
        retries=2,
    )
