"""Networks as tables of layers, and the names that files of weights use for them."""

from scratchnet.models.alexnet import alexnet
from scratchnet.models.face_encoder import face_encoder
from scratchnet.models.koch import koch
from scratchnet.models.mobilefacenet import mobilefacenet
from scratchnet.models.openface import nn4_small2
from scratchnet.models.random_filters import random_filters
from scratchnet.models.siamese import siamese_encoder
from scratchnet.models.small_vgg import small_vgg
from scratchnet.models.vgg import vgg16, vgg19

MODELS = {"vgg19": vgg19, "vgg16": vgg16, "alexnet": alexnet}         # those for pictures that a file of weights can fill
FACE_NETWORKS = {"face_encoder": face_encoder, "mobilefacenet": mobilefacenet, "nn4_small2": nn4_small2}   # a face -> f, of unit length

__all__ = ["FACE_NETWORKS", "MODELS", "alexnet", "face_encoder", "koch", "mobilefacenet", "nn4_small2", "random_filters", "siamese_encoder",
           "small_vgg", "vgg16", "vgg19"]
