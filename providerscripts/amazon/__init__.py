"""Amazon's services by boto3: how a client is opened, and what its errors mean."""
