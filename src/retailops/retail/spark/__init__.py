"""The ETL on Spark, for data that outgrows one machine: the same SQL, with sources and sinks of Spark.

dialect.py makes sql/spark/ from the SQL of DuckDB; order.py says what a job is to do; job.py is the job itself, one
file that needs nothing but pyspark; verdict.py turns what a job left into a result or an error.
"""
