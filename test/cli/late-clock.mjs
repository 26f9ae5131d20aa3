// Puts a process's clock two minutes ahead.
const now = Date.now;
Date.now = () => now() + 120_000;
