"""The paper's ablations on a tiny model: arms, their streams, units of training, figures."""
