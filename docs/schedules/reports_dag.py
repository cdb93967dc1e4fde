"""The reports of each morning, by Airflow 3: tried again once, skipped where there was no change to tell of."""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG("reports", schedule="0 6 * * *", start_date=datetime(2026, 11, 1), catchup=False, max_active_runs=1):
    BashOperator(
        task_id="run",
        bash_command='cd "$HOME/analyses" && .venv/bin/workbench report run',
        skip_on_exit_code=8,
        retries=1,
        retry_delay=timedelta(minutes=10),
    )
