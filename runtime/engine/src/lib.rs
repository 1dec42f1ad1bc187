//! Files in and out through compiled code; with the feature query, SQL through DataFusion.
