"""Long tests, one file each: `./dev soak [NAME ...]`. They print what they saw and fail where a bound does not hold."""
