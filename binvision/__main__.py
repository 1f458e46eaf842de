"""``python -m binvision``: the command line, for ``torchrun -m binvision train`` among others."""

from binvision.cli.app import main

if __name__ == "__main__":
    main()
