"""``python -m binvision``, which ``torchrun`` needs."""

from binvision.cli.app import main

if __name__ == "__main__":
    main()
