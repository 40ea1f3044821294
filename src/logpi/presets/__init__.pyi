from .options import Option as Option
from .recipe import Preset as Preset
from .recipe import Recipe as Recipe
from .recipe import preset as preset
from .registry import algorithms as algorithms
from .registry import find_algorithm as find_algorithm
from .registry import register as register
