"""What happens between a doorbell and a commit. Owns no thread and no clock."""
