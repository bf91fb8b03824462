"""The domain: columns, contract, ETL, features, leanings, algorithms, scorecard, bundle. No cloud, no terminal."""
