"""Checks of user-defined parts against logpi's contracts; each raises LogpiError that says what to change.

In: a distribution, policy, update or environment of your own. Out: nothing if the contract holds, else a LogpiError
with the fault and the remedy.

Read first: `distribution.check_distribution`, `environment.check_environment`.

- contract: the methods, shapes, dtypes and mathematical properties that the rest of the library relies on.
- within: agreement of a sample mean with its expected value, up to a number of standard errors.
"""

from logpi.testing.algorithm import check_algorithm as check_algorithm
from logpi.testing.distribution import check_distribution as check_distribution
from logpi.testing.environment import check_environment as check_environment
from logpi.testing.policy import check_policy as check_policy
from logpi.testing.update import check_update as check_update
