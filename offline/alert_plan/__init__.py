"""What a churn alert's threshold would come to: how many alerts, how often right, what they would miss."""
