"""What a trained run answers: classes of files, its error in the field, exports.

Imports the other rooms of `engine`.
"""
