"""The command line, a file per command. Each file has `add_arguments(parser)` and `run(arguments)`."""

COMMANDS = {                                          # name: what it does, in one line
    "style": "paint one picture in the style of another",
    "verify": "do two pictures show one person?",
    "identify": "who is it? one photo and a folder of people",
    "train": "train an encoder of faces on a folder of people",
    "units": "what units look for: their strongest patches in photographs",
    "check": "check gradients: ours, or those of your own function",
    "exercise": "write a function of the lecture yourself, and be told what went wrong",
    "weights": "trained networks: what is known, what is here, how to get more",
    "doctor": "look at this machine and installation; compile all kernels now",
}
