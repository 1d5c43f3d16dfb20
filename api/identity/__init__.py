"""The identity authority (개인통관고유부호 확인 기관): who may use a number, and what its owner says of every use."""
