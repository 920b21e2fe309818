"""Operations (`ope/*`)."""
