/** What a robot noted, and how somebody asks for it later in other words: hardly a word is in both. */
export const RECALL_QUESTIONS: readonly (readonly [text: string, question: string])[] = [
  [
    'The charging dock stands behind the blue curtain in room 4.',
    'Where can I plug in to get more battery power?',
  ],
  ['Elevator B is out of service until Friday.', 'Can I take the lift to another floor?'],
  ['Ada said the greenhouse must stay below 30 degrees.', 'How hot may it get where the plants grow?'],
  ['The gripper slips on wet glass bottles.', 'Which objects are hard to hold?'],
  ['A puddle was found in front of the coffee machine at noon.', 'Is there any liquid on the floor?'],
  [
    'Forklifts cross the corridor at shift change, 14:00.',
    'When are heavy vehicles moving through the hallway?',
  ],
  ['The left wheel encoder lost counts after the bump at the ramp.', 'What might make odometry wrong?'],
  [
    'Visitors are not allowed in the clean room without overshoes.',
    'What do guests have to wear before entering?',
  ],
  ['The spare lidar is in the grey cabinet, second drawer.', 'Where is the replacement laser scanner kept?'],
  [
    'Parcels for the dentist go to the side entrance.',
    'Which door do I use for deliveries to the tooth doctor?',
  ],
  ['The guard dog sleeps near gate 3 at night.', 'Is there an animal I should avoid after dark?'],
  ['Wireless reception is poor in the basement archive.', 'Where might the network connection drop?'],
  ['The fire door on level two has to be pushed hard.', 'Which exit is difficult to open?'],
  ['Mr Sato prefers his tea without sugar.', 'How does the customer like his hot drink?'],
  ['The pallet of paint cans is leaning and may fall.', 'Is any stack of goods unstable?'],
  [
    'Sunlight through the atrium roof blinds the camera in the morning.',
    'When does vision fail because of glare?',
  ],
  ['The carpet in the library makes turning slow.', 'Where does rotating take longer than usual?'],
  [
    'Batteries below twenty percent did not last for the whole night patrol.',
    'How much energy is needed for the late round?',
  ],
  [
    'The nurse on ward C wants medicine carts parked along the wall.',
    'Where should I leave trolleys in the hospital?',
  ],
  ['The red button on the conveyor stops the whole line.', 'How can production be halted at once?'],
  ['Children play in the yard after school.', 'When are young people outside?'],
  ['The west window was left open and rain came in.', 'Why is it wet inside the building?'],
  [
    'Tool changer jams when the pneumatic pressure is under five bar.',
    'What happens if the air supply is weak?',
  ],
  ['The janitor locks the main hall at ten in the evening.', 'Who closes the big room, and at what time?'],
  ['Apples from crate seven were rotten.', 'Which fruit had gone bad?'],
  [
    'A new shelf blocks the shortcut between aisle 5 and 6.',
    'Why can I no longer take the quick way through the racks?',
  ],
  ['The printer on desk nine needs cyan toner.', 'Which office machine ran out of ink?'],
  [
    'Speed was limited to walking pace near the ramp after the complaint.',
    'Where do I have to drive slowly?',
  ],
  ['The package for unit 12 was refused by the recipient.', 'Which delivery was not accepted?'],
  ['Loud music in the gym hides spoken commands.', 'Where will I not hear what people say to me?'],
  ['The magnet of the fridge disturbs the compass.', 'What confuses the heading sensor in the kitchen?'],
  [
    'The key to the chemical store hangs beside the first-aid kit.',
    'How do I get into the place with dangerous substances?',
  ],
  [
    'The lawn is too soft for the wheels after heavy rain.',
    'Should I cross the grass when the weather was bad?',
  ],
  [
    'The mirror wall in the lobby looks like free space.',
    'Where does the map show an opening that is not real?',
  ],
  ['Gloves have to be changed after each sample.', 'What is the hygiene rule between specimens?'],
  ['The night guard answers to the name Miro.', 'Who is on watch when everybody is at home?'],
  ['The drone landing pad is painted yellow on the roof.', 'Where may flying robots touch down?'],
  [
    'The welding cell must be empty before the curtain opens.',
    'What has to be checked before lifting the protective screen?',
  ],
  [
    'The tall cupboard was moved ten centimetres to the left.',
    'Which furniture is not where the old map has it?',
  ],
  [
    'The intercom at the north gate is broken; call the office.',
    'How do I get in when nobody answers the speaker at the entrance?',
  ],
];
