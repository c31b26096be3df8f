"""What the emulated services of Alibaba Cloud have in common."""
