"""HTTP and the dialects of the clouds. Knows nothing of Airflow but its base exception."""
