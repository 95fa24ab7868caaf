"""Files changed at random, and what their readers make of them: `scripts/mutate`.

seeds     the files that are changed: exports, and model files of each Keras
protos    messages changed by reflection
kinds     what is changed, by kind of file
readers   who reads it
sandbox   readers in a process of their own, under limits of time and memory, watched
"""
