"""Random pipelines: what they are made of, how they are compared, how a failure is made small."""
