"""A stand-in for EAC's ResNet: torchvision's, its strides on the first 1x1, its pool without padding."""

from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet


def resnet(blocks: list[int]) -> ResNet:
    network = ResNet(Bottleneck, blocks)
    network.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
    for stage in (network.layer2, network.layer3, network.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = stage[0].conv2.stride, stage[0].conv1.stride
    return network
