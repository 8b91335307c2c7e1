"""The reference's masks."""

import pytest

from tests.reference.masks import mask


@pytest.mark.parametrize(
    "category, value, masked",
    [
        ("name", "张三", "张*"),
        ("name", "张三丰", "张*"),
        ("name", "欧阳修", "欧阳*"),
        ("name", "欧阳", "欧*"),
        ("name", "买买提·阿不都拉", "买*"),
        ("name", "John Smith", "J*"),
        ("government_id", "110101199003074514", "1****************4"),
        ("government_id", "EA1234567", "E****************7"),
        ("phone", "13812341234", "138****1234"),
        ("bank_account", "6222020000000000018", "***************0018"),
        ("email", "zhang@example.com", "z***@example.com"),
        ("address", "浙江省杭州市西湖区文三路1号", "浙江省杭州市西湖区***"),
        ("address", "北京市密云县鼓楼东大街3号", "北京市密云县***"),
        ("address", "广东省东莞市鸿福路99号", "广东省东莞市***"),
        ("address", "somewhere", "***"),
        ("occupation", "会计", "***"),
        ("profile", "小张", "***"),
        ("account", "zhangsan", "***"),
        ("relay", "17000000001", "***"),
    ],
)
def test_a_mask_leaves_what_its_category_allows(category: str, value: str, masked: str) -> None:
    assert mask(category, value) == masked
