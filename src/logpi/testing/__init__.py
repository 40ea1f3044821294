"""What logpi relies on, checked against parts of your own: each check raises LogpiError and says what to change."""

from logpi.testing.distribution import check_distribution as check_distribution
from logpi.testing.environment import check_environment as check_environment
from logpi.testing.policy import check_policy as check_policy
from logpi.testing.update import check_update as check_update
