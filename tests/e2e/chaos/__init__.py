"""Many tasks on a real Airflow, to which everything happens that a seed has drawn; an audit counts what went wrong."""
