"""The code frame of a workspace: the model's themes with the workspace's own, its moves, merges and retirements."""
