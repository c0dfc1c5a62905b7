@tag

