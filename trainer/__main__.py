"""`accelerate launch -m gennx.trainer DATA_DIR ...` is `gennx-train DATA_DIR ...` on several processes."""

from gennx.trainer.cli import main

if __name__ == "__main__":
    main()
