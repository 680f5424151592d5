"""Answers to homework 1, and what is particular to marking them."""

COSTLY = ("digit_net",)  # what takes seconds to compute at the top of a cell
TRAINING = ("fonts never seen", "trained once more", "same seed, same network")  # topics of tests that train a network
TRAINED_BY = ("train_digits",)  # an answer that defines it has a network trained, which takes half a minute
LEFT_OUT = ("train_digits",)  # functions of which no mutants are made: what it trains is no matter of one right result
LONG = ("q4-every_path_walked", "q6-number_by_number")  # answers that take half a minute without training
# Instead of a network that takes seconds: the tests of TRAINING fail by it, and are not counted.
STAND_INS = {"q9": "digit_net = [np.zeros((10, 784), dtype=np.float32), np.zeros(10, dtype=np.float32)]"}
HINTED_OTHERWISE = {
    "q9.validates_on_the_exam": "its process cannot open those fonts, so that it ends in an error",
    "q7.one_array_of_ones": "arrays that share memory in the student's process are two in the test's",
}
AT_LEAST = (60, 25)  # wrong answers and right ones, in all

# For each question: wrong answers caught, and wrong answers in all, when the answers, which were written from the prompts alone,
# met the tests for the first time. No right answer was rejected then.
FIRST = {
    "q1": (25, 26),
    "q2": (30, 31),
    "q3": (28, 32),
    "q4": (38, 38),
    "q5": (32, 34),
    "q6": (17, 19),
    "q7": (35, 37),
    "q8": (34, 35),
    "q9": (61, 64),
    "q10": (45, 45),
    "q11": (29, 29),
}
