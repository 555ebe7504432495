"""What tests share: real servers, a lying proxy, models that are slow and obvious."""
