"""The words of English stories: first names, places by their preposition, and things.

Every entry is one word, and no entry occurs in another list or in a phrasing. Places go with "to the" and
with their preposition and "the"; things are countable, singular and small enough to be carried. Every fifth
entry of a list is never trained on (lexicon.py), so new words go at the end of a list.
"""

from types import MappingProxyType


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PEOPLE = _words(
    """
    Ada Adam Agnes Aisha Alan Albert Alice Alicia Alison Amanda Amelia Amina Amir Amy Andrea Andrew
    Angela Anita Anna Anthony Antonio Arjun Arnold Arthur Astrid Audrey Barbara Beatrice Benjamin
    Bernard Bernice Bertha Beth Betty Boris Brenda Brian Bridget Bruce Bruno Camille Carl Carla Carlos
    Carmen Caroline Catherine Cecilia Charles Charlotte Chloe Christine Christopher Claire Clara Claudia
    Colin Conrad Cora Craig Curtis Cynthia Daniel Daphne David Deborah Dennis Derek Diana Diego Dolores
    Dominic Donald Donna Doris Dorothy Douglas Dylan Edgar Edith Edmund Edward Eileen Elaine Eleanor
    Elena Elias Elizabeth Ella Ellen Emil Emily Emma Eric Erika Ernest Esther Ethan Eugene Eva Evelyn
    Fabian Farah Fatima Felix Fernando Fiona Flora Florence Francis Fred Frida Gabriel Gareth Gary
    Geoffrey George Gerald Gertrude Gilbert Gina Giovanni Gloria Gordon Graham Gregory Greta Gustav
    Hannah Harold Harriet Hassan Hector Helen Helga Henry Herbert Hilda Howard Hugh Hugo Ian Ibrahim Ida
    Igor Imogen Ines Ingrid Irene Isaac Isabel Ivan Jacob Jacqueline James Jamila Jane Janet Jason
    Javier Jeffrey Jennifer Jeremy Jessica Joan Joanna Joel John Jonathan Jorge Joseph Joshua Judith
    Julia Julian Juliet Julius Karen Karl Kate Katherine Keith Kenneth Kevin Khalid Kirsten Lars Laura
    Lauren Laurence Leila Lena Leo Leon Leonard Leonora Leroy Leslie Lewis Liam Lillian Linda Lionel
    Lisa Lloyd Lorenzo Louis Louisa Lucas Lucia Lucy Ludwig Luis Luke Lydia Mabel Madeleine Magnus
    Malcolm Marcus Margaret Maria Marie Mario Marion Marjorie Martha Martin Mary Matilda Matthew Maurice
    Maya Mehmet Melanie Melissa Mercedes Michael Michelle Miguel Mildred Milton Miranda Miriam Mohammed
    Moira Molly Monica Muriel Nadia Nancy Naomi Natalie Nathan Neil Nicholas Nicole Nigel Nina Nora
    Norman Octavia Olga Oliver Olivia Omar Oscar Oswald Otto Pablo Pamela Patricia Patrick Paul Paula
    Pauline Pedro Peter Philip Philippa Phoebe Phyllis Pierre Priya Quentin Rachel Ralph Ramon Raymond
    Rebecca Regina Reginald Ricardo Richard Rita Robert Roger Roland Ronald Rosalind Rowena Roy Rudolf
    Rupert Russell Ruth Sabrina Salim Sally Samantha Samuel Sandra Sara Sean Sebastian Selma Sharon
    Sheila Shirley Sidney Sigrid Silvia Simon Sonia Sophia Stanley Stella Stephanie Stephen Steven
    Stuart Susan Svetlana Sylvester Tamara Tania Teresa Thelma Theodore Thomas Timothy Tobias Tracy
    Trevor Ursula Valerie Vanessa Vera Veronica Vincent Virginia Vivian Vladimir Walter Wanda Wendy
    Wilfred William Winifred Winston Xavier Yasmin Yolanda Yusuf Yvonne Zachary Zara Zoe
    """
)

_IN = _words(
    """
    alcove alley apartment aquarium arcade archive arena armory atrium attic auditorium bakery ballroom
    bank barbershop barn basement bathroom bedroom boardroom boathouse bookshop boutique brewery
    bungalow bunker cabin cafe cafeteria canteen canyon casino castle cathedral cave cellar chapel
    church cinema city classroom clinic cloakroom cloister closet cockpit conservatory corridor cottage
    courthouse courtyard crypt darkroom den desert dormitory dungeon elevator factory forest forge
    foundry gallery galley garage garden gazebo glade gorge greenhouse grove gymnasium hallway hangar
    harbor hospital hostel hotel hut igloo jungle kindergarten kitchen laboratory laundry library lobby
    lounge mansion marsh maze meadow mine monastery mosque museum nursery oasis observatory office
    orchard palace pantry park parlor pavilion penthouse pharmacy planetarium playroom prison quarry
    ravine refectory restaurant salon sauna schoolhouse scullery shed smithy stable stockroom storeroom
    studio study supermarket surgery swamp synagogue tavern temple tent theater thicket tower town
    tunnel valley vault vestibule village vineyard ward warehouse winery workshop zoo
    """
)
_AT = _words(
    """
    academy airport auction bazaar beach border campsite carnival cemetery checkpoint circus college
    concert consulate crossroads dock embassy entrance exit fair fairground farm festival fountain gate
    junction lake lighthouse marina market memorial monument parade party picnic pool port racecourse
    rink sawmill seaside shipyard spa stadium station terminal university waterfall wedding windmill
    """
)
_ON = _words(
    """
    balcony barge boardwalk boat bridge bus campus cliff coast deck dune embankment ferry glacier
    highway hill hilltop island jetty landing lawn ledge mountain pasture patio pavement peninsula pier
    plain plantation plateau platform playground podium porch promenade quay raft ranch riverbank roof
    runway ship shore stage staircase summit terrace train tram veranda yacht
    """
)
PLACES = MappingProxyType({"in": _IN, "at": _AT, "on": _ON})  # by preposition

THINGS = _words(
    """
    accordion acorn anchor apple arrow atlas avocado axe backpack badge bagel ball balloon banana
    bandage banjo basket basketball bat battery bell belt bicycle biscuit blanket book boot bottle bowl
    bracelet briefcase brooch broom brush bucket button cabbage cable cactus cake calculator calendar
    camera candle cap carrot cello chain chessboard chisel clarinet clock coat coconut coin comb compass
    cookie corkscrew costume crayon crown cucumber cup cushion dagger diamond diary dictionary doll
    donut drill drum dumbbell earring egg emerald envelope eraser feather figurine flag flashlight
    flower flute football fork frisbee funnel globe glove guitar hammer handbag handkerchief harmonica
    harp hat helmet hoe hook jacket jar jug kettle key keyboard kite knife ladder ladle lamp lantern
    laptop leaf lemon letter lighter magazine magnet map marble mask matchbox medal melon microphone
    microscope mirror mitten mop mug nail napkin necklace needle net newspaper notebook nut onion orange
    ornament paddle padlock painting pancake parcel parrot peach pear pebble pen pencil pendant phone
    photograph pie pillow pineapple plate plum postcard poster pot potato pretzel pumpkin puppet purse
    puzzle racket radio rake razor ribbon ring rope rug ruler sandal sandwich saucepan sausage saw
    saxophone scarf screw screwdriver shawl shell shield shirt shoe shovel sieve skateboard skirt sled
    slipper sock spade spatula spear sponge spoon stamp stapler stethoscope suitcase sweater sword
    syringe tablecloth tablet tambourine teapot telescope thermometer thimble ticket tie toaster tomato
    toothbrush torch towel toy tray tripod trombone trophy trumpet tulip ukulele umbrella vase vest
    violin wallet watch watermelon whisk whistle wig wreath wrench xylophone zipper
    """
)
