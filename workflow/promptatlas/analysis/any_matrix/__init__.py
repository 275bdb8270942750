"""Any matrix of scores by source and target, with no study around it: read, brought to scales, analysed."""
