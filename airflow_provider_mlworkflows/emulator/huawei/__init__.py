"""Parts common to the emulated Huawei Cloud services: signatures, access, IAM."""
