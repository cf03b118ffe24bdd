"""One thin function a verb: read the flags, call the library, print."""
