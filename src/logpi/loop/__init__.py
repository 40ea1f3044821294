"""The training loop: iterations of behavior → rollout → learn, compiled, many to a call where the device allows it.

Enters: an algorithm, an environment, the first carry. Leaves: the carry after more iterations, metrics of each.
Read first: `protocol.Loop`, the contract; `iteration.run_iteration`, one iteration as a pure function;
`device.DeviceLoop`, many of them as one compiled program. `factory.make_loop` chooses the loop for an environment.

- carry: all that one iteration hands to the next (learner, key, environment states, partial returns).
- call budget: stopping conditions of one call of the loop; a device loop makes many iterations a call, a host loop one.
- donation: the device loop writes the new carry into the old one's memory, so the old carry is gone.
- snapshot: the unfinished episodes of host environments, from which a resumed run replays them.
- pipelined: collect rollout k + 1 while learning from rollout k.
- topology: the processes of one run; decisions that depend on a clock or a signal are agreed on by all of them.
"""
