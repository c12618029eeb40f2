import pytest

from shared.mail.detect import detect

TEXTS = {
    "cp1251": ["Добрый день, у нас не работает принтер", "Иван Петров", "Привет", "Re: Счёт на оплату 123"],
    "koi8-r": ["Добрый день, у нас не работает принтер", "Иван Петров", "привет"],
    "cp1253": ["Καλημέρα, έχουμε ένα πρόβλημα με τον εκτυπωτή"],
    "cp1255": ["שלום, יש לנו בעיה עם המדפסת"],
    "cp1256": ["مرحبا لدينا مشكلة في الطابعة"],
    "cp874": ["สวัสดีครับ เครื่องพิมพ์ไม่ทำงาน"],
    "cp932": ["こんにちは、プリンターが動きません。", "お問い合わせ", "会議の件"],
    "euc_jp": ["こんにちは、プリンターが動きません。", "お問い合わせ", "会議の件について"],
    "gb18030": ["您好，打印机不能工作了，请帮忙。", "关于发票的问题", "测试", "张三 <z@q.example>"],
    "big5hkscs": ["您好，印表機不能工作了，請幫忙。", "關於發票的問題", "測試郵件"],
    "cp949": ["안녕하세요, 프린터가 작동하지 않습니다.", "문의드립니다", "홍길동"],
    "cp1252": [
        "Grüße aus Köln",
        "Müller",
        "é",
        "À bientôt, c'est très gentil",
        "“quoted” – text…",
        "ÄÖÜ",
        "Preis: 20 €",
    ],
}


@pytest.mark.parametrize(("codec", "text"), [(codec, text) for codec, texts in TEXTS.items() for text in texts])
def test_a_charset_is_told_by_its_letters(codec: str, text: str) -> None:
    assert detect(text.encode(codec)) == (None if codec == "cp1252" else codec)
