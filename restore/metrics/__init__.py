"""How near a picture is to the truth: one value per image, every choice of the measure stated."""

from restore.metrics.cast import colour_cast
from restore.metrics.psnr import psnr, psnr_y
from restore.metrics.ssim import ssim, ssim_y

__all__ = ["colour_cast", "psnr", "psnr_y", "ssim", "ssim_y"]
